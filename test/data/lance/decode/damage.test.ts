import { describe, expect, it } from "vitest";
import { chance } from "../../../../fixtures/generate/lance/cases.mjs";
import { openContainer } from "../../../../src/data/lance/container.js";
import { openLanceFile } from "../../../../src/data/lance/decode/reader.js";
import { isTableError } from "../../../../src/support/errors.js";
import {
  bytesOf,
  casesOf,
  dataFileOf,
  FIXTURES,
  type Fixture,
  MemorySource,
  openFixture,
  project,
  readAll,
  schemaOf,
} from "../fixtures.js";

/** Reads some columns of changed bytes; whatever is thrown. */
async function failureOf(fixture: Fixture, bytes: Uint8Array<ArrayBuffer>, names: readonly string[]): Promise<unknown> {
  try {
    const { reader, schema } = await openFixture(fixture, bytes);
    let rows = 0;
    for await (const batch of reader.read({ schema: project(schema, names) })) {
      rows += batch.numRows;
      for (let i = 0; i < names.length; i++) batch.getChildAt(i)!.get(batch.numRows - 1);
      // A damaged count may claim any number of rows; each batch of them is small.
      if (rows > 1e6) return undefined;
    }
    return undefined;
  } catch (error) {
    return error;
  }
}

function expectTyped(failure: unknown, where: string): void {
  if (failure === undefined) return;
  const typed = isTableError(failure, "CORRUPT") || isTableError(failure, "NOT_SUPPORTED");
  expect(typed, `${where}: ${String(failure)}`).toBe(true);
  expect((failure as { details: object }).details).toMatchObject({ path: expect.any(String) });
}

const SMALL = FIXTURES.filter((one) => one.rows === 10 && one.nulls === "some");

describe("damaged data files", () => {
  it.each(SMALL.map((fixture) => [fixture.name, fixture] as const))(
    "%s with flipped bits gives rows or a typed error, never another exception",
    async (_, fixture) => {
      const whole = bytesOf(fixture);
      const random = chance(7);
      for (let i = 0; i < 500; i++) {
        const bytes = whole.slice();
        // Metadata lies at the end and takes most of a small file.
        const at = i % 2 === 0 ? random.int(bytes.length) : bytes.length - 1 - random.int(12_000);
        bytes[at] = bytes[at]! ^ (1 << random.int(8));
        const names = Array.from({ length: 4 }, () => fixture.columns[random.int(fixture.columns.length)]!);
        expectTyped(await failureOf(fixture, bytes, [...new Set(names)]), `byte ${at}, columns ${names}`);
      }
    },
  );

  it.each(SMALL.map((fixture) => [fixture.name, fixture] as const))(
    "%s cut short anywhere is refused as damaged",
    async (_, fixture) => {
      const whole = bytesOf(fixture);
      for (let length = 0; length < whole.length; length += 997) {
        const failure = await failureOf(fixture, whole.slice(0, length), fixture.columns.slice(0, 3));
        expect(isTableError(failure, "CORRUPT"), `${length} bytes: ${String(failure)}`).toBe(true);
      }
    },
  );

  it("says which byte of which file is wrong", async () => {
    const fixture = SMALL[0]!;
    const bytes = bytesOf(fixture);
    bytes[bytes.length - 1] = 0;
    const failure = await openFixture(fixture, bytes).catch((error: unknown) => error);
    expect(failure).toMatchObject({
      code: "CORRUPT",
      details: { path: `${fixture.name}.lance`, offset: bytes.length - 4 },
    });
  });

  it("refuses a later file version by its number before anything else is read", async () => {
    const fixture = FIXTURES.find((one) => one.name === "v22-1-none")!;
    const bytes = bytesOf(fixture);
    bytes[bytes.length - 6] = 3;
    const failure = await openFixture(fixture, bytes).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: "NOT_SUPPORTED", message: expect.stringContaining("2.3") });
  });

  it("refuses an encoding that it does not know by name before any row", async () => {
    const fixture = FIXTURES.find((one) => one.name === "v22-10-none")!;
    const bytes = bytesOf(fixture);
    const column = fixture.columns.indexOf("int64");
    const container = await openContainer(new MemorySource("x", bytes));
    const { pages } = await container.column(column);
    // The description of a flat page: turn field 1 (flat) of the value encoding into field 14 (range).
    const { value } = pages[0]!.encoding;
    const at = Buffer.from(bytes).indexOf(value, pages[0]!.buffers[1]!.end);
    const tag = value.findIndex((byte, i) => byte === 0x1a && value[i + 2] === 0x0a);
    bytes[at + tag + 2] = (14 << 3) | 2;
    const failure = await failureOf(fixture, bytes, ["int64"]);
    expect(failure).toMatchObject({ code: "NOT_SUPPORTED", message: expect.stringContaining("range") });
  });

  it("refuses a column that the file does not hold", async () => {
    const fixture = FIXTURES.find((one) => one.name === "v22-1-none")!;
    const schema = schemaOf(casesOf(fixture));
    const source = new MemorySource("x", bytesOf(fixture));
    const reader = await openLanceFile(source, { ...dataFileOf(fixture), fields: [0], columnIndices: [0] }, schema);
    const failure = await readAll(reader, { schema: project(schema, ["int64"]) }).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: "INVALID_ARGUMENT", message: expect.stringContaining("int64") });
  });

  it("goes by the column indices of the manifest, not by order", async () => {
    const fixture = FIXTURES.find((one) => one.name === "v22-10-none")!;
    const schema = schemaOf(casesOf(fixture));
    const at = (name: string) => fixture.columns.indexOf(name);
    const columnIndices = [...fixture.columnIndices];
    [columnIndices[at("int32")], columnIndices[at("uint32")]] = [
      columnIndices[at("uint32")]!,
      columnIndices[at("int32")]!,
    ];
    const source = new MemorySource("x", bytesOf(fixture));
    const swapped = await openLanceFile(source, { ...dataFileOf(fixture), columnIndices }, schema);
    const straight = (await openFixture(fixture)).reader;
    const bits = async (reader: typeof swapped, name: string) => {
      const [batch] = await readAll(reader, { schema: project(schema, [name]) });
      return [...new Uint32Array(Int32Array.from(batch!.getChildAt(0)!.toArray()).buffer)];
    };
    expect(await bits(swapped, "int32")).toEqual(await bits(straight, "uint32"));
  });
});

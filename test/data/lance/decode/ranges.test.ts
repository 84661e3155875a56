import { isDeepStrictEqual } from "node:util";
import { Field, List, Schema, Struct } from "apache-arrow";
import { describe, expect, it } from "vitest";
import { chance, valuesOf } from "../../../../fixtures/generate/lance/cases.mjs";
import type { RowSelection } from "../../../../src/data/codec.js";
import type { SchemaNode, TableSchema } from "../../../../src/format/schema.js";
import { isTableError } from "../../../../src/support/errors.js";
import { casesOf, columnValues, FIXTURES, openFixture, project, readAll } from "../fixtures.js";

const LARGE = FIXTURES.filter((fixture) => fixture.rows >= 300 && fixture.nulls !== "all");

/** Some rows of a file, and their numbers. */
function pick(random: ReturnType<typeof chance>, rows: number): { rows: RowSelection; wanted: number[] } {
  if (random.int(2) === 0) {
    const start = random.int(rows);
    const end = start + random.int(rows - start + 1);
    return { rows: { start, end }, wanted: Array.from({ length: end - start }, (_, i) => start + i) };
  }
  const share = [1, 40, 400][random.int(3)]!;
  const wanted = Array.from({ length: rows }, (_, i) => i).filter(() => random.int(400) < share);
  return { rows: { offsets: Uint32Array.from(wanted) }, wanted };
}

describe("reading some rows", () => {
  it.each(LARGE.map((fixture) => [fixture.name, fixture] as const))(
    "%s gives the rows asked for and no others, however they are cut into batches",
    async (_, fixture) => {
      const { reader, schema } = await openFixture(fixture);
      const cases = casesOf(fixture);
      const expected = cases.map((one) => valuesOf(one, fixture.rows, fixture.nulls));
      const random = chance(fixture.sizeBytes);
      for (let round = 0; round < 6; round++) {
        const { rows, wanted } = pick(random, fixture.rows);
        const batchRows = 1 + random.int(wanted.length + 1);
        const batches = await readAll(reader, { schema, rows, batchRows });
        expect(Math.max(0, ...batches.map((batch) => batch.numRows))).toBeLessThanOrEqual(batchRows);
        cases.forEach((one, i) => {
          const actual = columnValues(batches, i, one.type);
          const right = wanted.map((row) => expected[i]![row]);
          if (!isDeepStrictEqual(actual, right)) expect(actual, `${one.name} ${JSON.stringify(rows)}`).toEqual(right);
        });
      }
    },
  );

  it.each(["2.0", "2.1", "2.2"])("reads each row of a %s file alone", async (version) => {
    const fixture = FIXTURES.find((one) => one.version === version && one.rows === 10 && one.nulls === "some")!;
    const { reader, schema } = await openFixture(fixture);
    for (let row = 0; row < 10; row++) {
      const batches = await readAll(reader, { schema, rows: { offsets: Uint32Array.of(row) } });
      casesOf(fixture).forEach((one, i) => {
        expect(columnValues(batches, i, one.type), one.name).toEqual([valuesOf(one, 10, "some")[row]]);
      });
    }
  });

  it("refuses rows beyond the end and offsets out of order", async () => {
    const { reader, schema } = await openFixture(FIXTURES.find((one) => one.rows === 10)!);
    const selections: RowSelection[] = [
      { start: 0, end: 11 },
      { start: 5, end: 4 },
      { offsets: Uint32Array.of(10) },
      { offsets: Uint32Array.of(3, 3) },
    ];
    for (const rows of selections) {
      const failure = await readAll(reader, { schema, rows }).catch((error: unknown) => error);
      expect(isTableError(failure, "INVALID_ARGUMENT"), String(failure)).toBe(true);
    }
  });

  it("fetches a few kilobytes for one row of a wide file, and none of it twice for the next", async () => {
    const fixture = FIXTURES.find((one) => one.name === "v22-300-none")!;
    const { reader, schema, source } = await openFixture(fixture);
    const columns = project(schema, ["wide_vector", "wide_binary", "huge_text"]);
    await readAll(reader, { schema: columns, rows: { offsets: Uint32Array.of(7) } });
    expect(source.readBytes).toBeLessThan(64 * 1024);
    source.readBytes = 0;
    source.reads = 0;
    await readAll(reader, { schema: columns, rows: { offsets: Uint32Array.of(211) } });
    expect(source.readBytes).toBeLessThan(8 * 1024);
    expect(source.reads).toBeLessThanOrEqual(6);
  });

  it("touches only the pages of the columns asked for", async () => {
    const fixture = FIXTURES.find((one) => one.name === "v22-2500-none")!;
    const { reader, schema, source } = await openFixture(fixture);
    source.readBytes = 0;
    await readAll(reader, { schema: project(schema, ["int64"]) });
    expect(source.readBytes).toBeLessThan(2500 * 8 + 16 * 1024);
  });
});

/** The same node with one child instead of all. */
function prune(node: SchemaNode, path: readonly string[]): SchemaNode {
  const [name, ...rest] = path;
  if (name === undefined) return node;
  const child = prune(node.children.find((one) => one.field.name === name)!, rest);
  const { type } = node.field;
  const pruned = type.typeId === 12 ? new List(child.field) : new Struct([child.field]);
  return { ...node, field: new Field(node.field.name, pruned, node.field.nullable), children: [child] };
}

describe("reading some children", () => {
  const paths = [
    ["struct", "b"],
    ["struct_deep", "inner", "flag"],
    ["struct_deep", "items"],
    ["list_struct", "item", "y"],
    ["list_struct_list", "item", "tags"],
  ];
  const files = FIXTURES.filter((one) => one.rows === 2500 && (one.version !== "2.0" || one.nulls === "none"));

  it.each(files.map((fixture) => [fixture.name, fixture] as const))(
    "%s gives one child of a struct with the nulls of what is around it",
    async (_, fixture) => {
      const { reader, schema } = await openFixture(fixture);
      for (const [column, ...path] of paths) {
        const node = prune(schema.nodes.find((one) => one.field.name === column)!, path);
        const request: TableSchema = { arrow: new Schema([node.field]), nodes: [node] };
        const one = casesOf(fixture).find((other) => other.name === column)!;
        const actual = columnValues(await readAll(reader, { schema: request }), 0, one.type);
        const expected = valuesOf(one, fixture.rows, fixture.nulls).map((value) => keep(value, path));
        if (!isDeepStrictEqual(actual, expected)) expect(actual, `${column} ${path.join(".")}`).toEqual(expected);
      }
    },
  );

  it("gives one child of a packed struct", async () => {
    const fixture = FIXTURES.find((one) => one.name === "v22-2500-none")!;
    const { reader, schema } = await openFixture(fixture);
    for (const column of ["packed", "packed_text"]) {
      const node = prune(schema.nodes.find((one) => one.field.name === column)!, ["a"]);
      const request: TableSchema = { arrow: new Schema([node.field]), nodes: [node] };
      const one = casesOf(fixture).find((other) => other.name === column)!;
      const batches = await readAll(reader, { schema: request });
      const type = { kind: "struct", fields: [{ name: "a", type: { kind: "int", bits: 32 } }] };
      const expected = valuesOf(one, 2500, "none").map((value) => keep(value, ["a"]));
      expect(columnValues(batches, 0, type)).toEqual(expected);
    }
  });
});

function keep(value: unknown, path: readonly string[]): unknown {
  const [name, ...rest] = path;
  if (value === null || name === undefined) return value;
  if (Array.isArray(value)) return value.map((item) => keep(item, rest));
  return { [name]: keep((value as Record<string, unknown>)[name], rest) };
}

/** Checksums bind a data file to its bytes and to its name. */
import { mkdtempSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { CheckedFile, encodeChecksums, isIntact } from "../../src/data/checksums.js";
import { connect, type DataFormat } from "../../src/index.js";

const root = mkdtempSync(join(tmpdir(), "joust-checksums-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const FOOTER = Uint8Array.from({ length: 40 }, (_, i) => i);

function fileOf(data: Uint8Array, name?: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.concat([data, encodeChecksums([data], FOOTER, name), FOOTER]));
}

function open(file: Uint8Array<ArrayBuffer>, path: string): Promise<CheckedFile> {
  const read = async (start: number, end: number) => file.slice(start, end);
  return CheckedFile.open({ path, sizeBytes: file.length, read }, () => FOOTER.length);
}

describe("a file with checksums", () => {
  const data = Uint8Array.from({ length: 40_000 }, (_, i) => i * 7);

  test("is read under its own name, wherever it lies, and under no other", async () => {
    const file = fileOf(data, "a.lance");
    const footerStart = file.length - FOOTER.length;
    for (const path of ["a.lance", "data/a.lance", "x/y/data/a.lance"]) {
      expect(await (await open(file, path)).read(1, 9)).toEqual(data.slice(1, 9));
      expect(isIntact(file, footerStart, path)).toBe(true);
    }
    for (const path of ["b.lance", "data/b.lance", "data/a.lance/b", "data/xa.lance", ""]) {
      await expect(open(file, path)).rejects.toMatchObject({ code: "CORRUPT", details: { path } });
      expect(isIntact(file, footerStart, path)).toBe(false);
    }
  });

  test("that was made without a name is read under any", async () => {
    const file = fileOf(data);
    expect(await (await open(file, "data/any.lance")).read(0, 4)).toEqual(data.slice(0, 4));
    expect(isIntact(file, file.length - FOOTER.length, "data/other.lance")).toBe(true);
  });
});

describe.each<DataFormat>(["lance", "arrow", "parquet"])("a table of %s files", (dataFormat) => {
  const options = { maintenance: { auto: false }, durability: "relaxed" } as const;
  const rows = (first: number) => Array.from({ length: 50 }, (_, i) => ({ id: first + i, text: `row ${first + i}` }));

  /** Compression makes other rows another size; the exchange of files with the same rows has to be seen as well. */
  const second = dataFormat === "parquet" ? 100 : 200;

  /** Gives two files of one size in the table's directory each other's name. */
  function exchange(dir: string, old: readonly string[] = []): void {
    const data = join(dir, "t.lance", "data");
    const bySize = new Map<number, string[]>();
    for (const name of readdirSync(data).filter((one) => !old.includes(one))) {
      const { size } = statSync(join(data, name));
      bySize.set(size, [...(bySize.get(size) ?? []), join(data, name)]);
    }
    const [a, b] = [...bySize.values()].find((names) => names.length === 2) as [string, string];
    renameSync(a, `${a}.x`);
    renameSync(b, a);
    renameSync(`${a}.x`, b);
  }

  async function expectDamage(dir: string): Promise<void> {
    const db = await connect(dir, options);
    const table = await db.openTable("t");
    await expect(table.toArrow()).rejects.toMatchObject({
      code: "CORRUPT",
      details: { path: expect.stringMatching(/^data\//) },
      message: expect.stringContaining("another name"),
    });
    const findings = await table.verify({ deep: true }).toArray();
    expect(findings.map(({ id }) => id)).toContain("J009-file-damaged");
    await db.close();
  }

  test("sees that two files were exchanged", async () => {
    const dir = join(root, `${dataFormat}-written`);
    const db = await connect(dir, options);
    const table = await db.createTable("t", rows(100), { dataFormat });
    await table.add(rows(second));
    await db.close();
    exchange(dir);
    await expectDamage(dir);
  });

  test("sees that two files of added columns, or of compactions, were exchanged", async () => {
    const dir = join(root, `${dataFormat}-changed`);
    const data = join(dir, "t.lance", "data");
    const db = await connect(dir, options);
    const table = await db.createTable("t", rows(100), { dataFormat });
    await table.add(rows(second));
    let old = readdirSync(data);
    await table.addColumns([{ name: "more", valueSql: "id * 2" }]);
    await db.close();
    exchange(dir, old);
    await expectDamage(dir);
    exchange(dir, old);

    // A compaction, and after a restore of what was before the same compaction again.
    const again = await connect(dir, options);
    const same = await again.openTable("t");
    const version = await same.version();
    old = readdirSync(data);
    await same.optimize();
    await same.restore(version);
    await same.optimize();
    await again.close();
    exchange(dir, old);
    await expectDamage(dir);
  });
});

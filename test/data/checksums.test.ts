/** Checksums bind a data file to its bytes and to its name. */
import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as arrow from "apache-arrow";
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

describe("a block that was good", () => {
  const BLOCK = 16_384;
  const data = Uint8Array.from({ length: 40 * BLOCK + 100 }, (_, i) => (i * 7) ^ (i >>> 9));

  /** A file that lies on a disk: what was read of it, and a way to damage or replace it. */
  async function onDisk() {
    const disk = { file: fileOf(data, "a.lance"), identity: "1", reads: [] as { start: number; end: number }[] };
    const source = {
      path: "data/a.lance",
      sizeBytes: disk.file.length,
      get identity() {
        return disk.identity;
      },
      async read(start: number, end: number) {
        disk.reads.push({ start, end });
        return disk.file.slice(start, end);
      },
    };
    const file = await CheckedFile.open(source, () => FOOTER.length);
    disk.reads.length = 0;
    const bytesOf = async (start: number, end: number) => {
      disk.reads.length = 0;
      expect(await file.read(start, end)).toEqual(data.slice(start, end));
      return disk.reads.reduce((sum, read) => sum + read.end - read.start, 0);
    };
    return { disk, file, bytesOf };
  }

  const damagedAt = (offset: number) => ({ code: "CORRUPT", details: { path: "data/a.lance", offset } });

  test("is not read whole again for a few of its bytes, one that was not is", async () => {
    const { bytesOf } = await onDisk();
    expect(await bytesOf(BLOCK + 100, BLOCK + 110)).toBe(BLOCK);
    expect(await bytesOf(BLOCK + 5000, BLOCK + 5010)).toBeLessThan(100);
    expect(await bytesOf(BLOCK + 5000, 2 * BLOCK + 1)).toBe(2 * BLOCK - 5000 + (5000 % 64));
    expect(await bytesOf(2 * BLOCK + 7, 3 * BLOCK)).toBeLessThanOrEqual(BLOCK);
    expect(await bytesOf(40 * BLOCK + 3, 40 * BLOCK + 4)).toBe(100);
    expect(await bytesOf(40 * BLOCK + 3, 40 * BLOCK + 4)).toBe(4);
  });

  test("says nothing about its neighbours, and a damaged one is damaged every time", async () => {
    const { disk, file, bytesOf } = await onDisk();
    await bytesOf(3 * BLOCK, 5 * BLOCK);
    await bytesOf(6 * BLOCK, 7 * BLOCK);
    disk.file[5 * BLOCK + 9]! ^= 1;
    for (let i = 0; i < 3; i++) {
      await expect(file.read(5 * BLOCK + 900, 5 * BLOCK + 901)).rejects.toMatchObject(damagedAt(5 * BLOCK));
      await expect(file.read(4 * BLOCK + 1, 6 * BLOCK + 2)).rejects.toMatchObject(damagedAt(5 * BLOCK));
      await bytesOf(4 * BLOCK + 1, 5 * BLOCK);
    }
    disk.file[5 * BLOCK + 9]! ^= 1;
    await bytesOf(4 * BLOCK + 1, 6 * BLOCK + 2);
  });

  test("is checked again when another file came under the name, in whole and in part", async () => {
    const { disk, file, bytesOf } = await onDisk();
    await bytesOf(0, 8 * BLOCK);
    disk.identity = "2";
    disk.file[2 * BLOCK + 9]! ^= 1;
    await expect(file.read(2 * BLOCK + 100, 2 * BLOCK + 101)).rejects.toMatchObject(damagedAt(2 * BLOCK));
    await expect(file.read(BLOCK + 1, 4 * BLOCK)).rejects.toMatchObject(damagedAt(2 * BLOCK));
    expect(await bytesOf(4 * BLOCK + 1, 4 * BLOCK + 2)).toBe(BLOCK);
  });

  test("is read whole and checked when the file is found to be another one only by the read", async () => {
    const { disk, file, bytesOf } = await onDisk();
    await bytesOf(0, 8 * BLOCK);
    const reading = file.read(3 * BLOCK + 100, 3 * BLOCK + 101);
    queueMicrotask(() => {
      disk.identity = "2";
    });
    expect(await reading).toEqual(data.slice(3 * BLOCK + 100, 3 * BLOCK + 101));
    const damaged = file.read(3 * BLOCK + 100, 3 * BLOCK + 101);
    queueMicrotask(() => {
      disk.identity = "3";
      disk.file[3 * BLOCK + 9]! ^= 1;
    });
    await expect(damaged).rejects.toMatchObject(damagedAt(3 * BLOCK));
  });
});

test("a table that is open finds a data file that was replaced, and verify() damage that came after a scan", async () => {
  const dir = join(root, "open");
  const db = await connect(dir, { maintenance: { auto: false }, durability: "relaxed" });
  const length = 200_000;
  const id = arrow.makeData({ type: new arrow.Int32(), length, data: Int32Array.from({ length }, (_, i) => i * 7919) });
  const value = arrow.makeData({
    type: new arrow.Float64(),
    length,
    data: new Float64Array(length).map((_, i) => i / 3),
  });
  const batch = arrow.makeData({
    type: new arrow.Struct([new arrow.Field("id", id.type, true), new arrow.Field("value", value.type, true)]),
    length,
    children: [id, value],
  });
  const table = await db.createTable(
    "t",
    new arrow.Table([new arrow.RecordBatch(new arrow.Schema(batch.type.children), batch)]),
  );
  const read = async () => (await table.toArrow()).getChild("value")!.get(1000) as number;
  expect(await read()).toBe(1000 / 3);
  const [name] = readdirSync(join(dir, "t.lance", "data")) as [string];
  const path = join(dir, "t.lance", "data", name);
  const { atime, mtime } = statSync(path);
  const good = readFileSync(path);
  const bad = Buffer.from(good);
  bad[bad.length >> 1]! ^= 1;
  // Rot leaves no trace in the times of a file.
  writeFileSync(path, bad);
  utimesSync(path, atime, mtime);
  const findings = await table.verify({ deep: true }).toArray();
  expect(findings.map(({ id: finding }) => finding)).toContain("J009-file-damaged");
  // Another file under the name.
  writeFileSync(`${path}.x`, bad);
  renameSync(`${path}.x`, path);
  await expect(read()).rejects.toMatchObject({ code: "CORRUPT" });
  writeFileSync(`${path}.x`, good);
  renameSync(`${path}.x`, path);
  expect(await read()).toBe(1000 / 3);
  await db.close();
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

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeDeletionVector, encodeDeletionVector, FRAGMENT_ROWS_MAX } from "../../src/format/deletion-file.js";
import { DeletionVector } from "../../src/format/deletion-vector.js";
import { encodeRoaring } from "../../src/format/roaring.js";
import { list, read } from "../golden/format-tables.js";
import { damaged, expectTyped } from "./damage.js";

const ROWS = 200_000;
const offsets = fc.array(fc.oneof(fc.nat(100), fc.nat(ROWS - 1)), { maxLength: 200 });

function distinct(values: Iterable<number>): number[] {
  return [...new Set(values)].sort((a, b) => a - b);
}

test("a vector holds the distinct offsets in ascending order, whatever order they came in", () => {
  fc.assert(
    fc.property(offsets, (values) => {
      const vector = DeletionVector.of(values);
      expect([...vector.toArray()]).toEqual(distinct(values));
      expect(vector.size).toBe(new Set(values).size);
      for (const value of values) expect(vector.has(value)).toBe(true);
      expect(vector.has(values.length === 0 ? 0 : Math.max(...values) + 1)).toBe(false);
    }),
  );
});

test("union and intersection are those of sets", () => {
  fc.assert(
    fc.property(offsets, offsets, (a, b) => {
      const [left, right] = [DeletionVector.of(a), DeletionVector.of(b)];
      expect([...left.union(right).toArray()]).toEqual(distinct([...a, ...b]));
      expect(left.intersects(right)).toBe(a.some((value) => b.includes(value)));
      expect([...left.toArray()]).toEqual(distinct(a));
    }),
  );
});

test("live rows of a range are those that are not deleted", () => {
  fc.assert(
    fc.property(offsets, fc.nat(150), fc.nat(150), (values, start, length) => {
      const vector = DeletionVector.of(values);
      const range = Array.from({ length }, (_, i) => start + i);
      const live = range.filter((row) => !values.includes(row));
      expect([...vector.liveOffsets(start, start + length)]).toEqual(live);
      expect(vector.countIn(start, start + length)).toBe(length - live.length);
    }),
  );
});

test("changing the array that a vector gave or came from does not change the vector", () => {
  const source = Uint32Array.of(1, 2);
  const vector = DeletionVector.of(source);
  source[0] = 9;
  vector.toArray()[0] = 9;
  expect([...vector.toArray()]).toEqual([1, 2]);
});

test("a deletion file that is written and read again deletes the same rows", async () => {
  await fc.assert(
    fc.asyncProperty(offsets, async (values) => {
      const vector = DeletionVector.of(values);
      const again = await decodeDeletionVector(encodeDeletionVector(vector), "bitmap", "d.bin", ROWS);
      expect(again.toArray()).toEqual(vector.toArray());
    }),
  );
});

test("every truncation and every flipped bit of a deletion file of ours is found", async () => {
  const bytes = encodeDeletionVector(DeletionVector.of([1, 5, 70_000]));
  for (const damage of damaged(bytes)) {
    const outcome = await decodeDeletionVector(damage, "bitmap", "d.bin", ROWS).catch((error: unknown) => error);
    // Without its announcement, or cut off, the checksum is not there; the bitmap before it is then whole.
    if (outcome instanceof DeletionVector) expect([...outcome.toArray()]).toEqual([1, 5, 70_000]);
    else expectTyped(outcome);
  }
});

test("damaged files of native are read or refused, and never break the process", async () => {
  const arrow = list("deletions_arrow", "_deletions")[0]!;
  for (const bytes of damaged(read("deletions_arrow", arrow))) {
    await decodeDeletionVector(bytes, "arrow", arrow, 300).catch(expectTyped);
  }
  const bitmap = encodeRoaring(Uint32Array.of(1, 2, 3, 70_000));
  for (const bytes of damaged(bitmap)) await decodeDeletionVector(bytes, "bitmap", "d.bin", ROWS).catch(expectTyped);
});

describe("a deletion file is refused", () => {
  const corrupt = expect.objectContaining({ code: "CORRUPT", details: expect.objectContaining({ path: "d" }) });

  test("when it deletes a row that the fragment does not have", async () => {
    const bytes = encodeDeletionVector(DeletionVector.of([10]));
    expect((await decodeDeletionVector(bytes, "bitmap", "d", 11)).size).toBe(1);
    await expect(decodeDeletionVector(bytes, "bitmap", "d", 10)).rejects.toEqual(corrupt);
    const arrow = read("deletions_arrow", list("deletions_arrow", "_deletions")[0]!);
    await expect(decodeDeletionVector(arrow, "arrow", "d", 299)).rejects.toEqual(corrupt);
  });

  test("when a few bytes of runs stand for billions of rows, before memory is taken for them", async () => {
    // Cookie 12347, two containers, both of one run from 0 to 65535.
    const bytes = Uint8Array.of(
      0x3b,
      0x30,
      1,
      0,
      3,
      0,
      0,
      255,
      255,
      1,
      0,
      255,
      255,
      1,
      0,
      0,
      0,
      255,
      255,
      1,
      0,
      0,
      0,
      255,
      255,
    );
    await expect(decodeDeletionVector(bytes, "bitmap", "d", 1_000)).rejects.toEqual(corrupt);
    expect((await decodeDeletionVector(bytes, "bitmap", "d", 131_072)).size).toBe(131_072);
  });

  test("when its fragment is said to have more rows than can be", async () => {
    await expect(decodeDeletionVector(new Uint8Array(), "bitmap", "d", FRAGMENT_ROWS_MAX + 1)).rejects.toEqual(
      expect.objectContaining({ code: "NOT_SUPPORTED" }),
    );
  });

  test("when the rows inside a container are out of order, which the library itself would believe", async () => {
    const bytes = encodeRoaring(Uint32Array.of(1, 2, 3));
    [bytes[16], bytes[18]] = [bytes[18]!, bytes[16]!];
    await expect(decodeDeletionVector(bytes, "bitmap", "d", 10)).rejects.toEqual(corrupt);
  });

  test("when its containers claim more rows than the fragment has, before memory is taken for them", async () => {
    // Three containers of one key, each a run of 65,536 rows: the greatest value is as it should be.
    const container = [1, 0, 0, 0, 0xff, 0xff];
    const header = [0x3b, 0x30, 2, 0, 0b111, ...[0, 0, 0xff, 0xff], ...[0, 0, 0xff, 0xff], ...[0, 0, 0xff, 0xff]];
    const bytes = Uint8Array.from([...header, ...container, ...container, ...container]);
    await expect(decodeDeletionVector(bytes, "bitmap", "d", 65_536)).rejects.toMatchObject({
      code: "CORRUPT",
      message: expect.stringContaining("a value is not below 65536"),
    });
  });

  test("when a crash left it empty", async () => {
    for (const kind of ["arrow", "bitmap"] as const) {
      await expect(decodeDeletionVector(new Uint8Array(), kind, "d", 10)).rejects.toEqual(corrupt);
    }
  });
});

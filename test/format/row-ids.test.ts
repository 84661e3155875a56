import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  decodeRowIdSequence,
  decodeVersionSequence,
  encodeRowIdSequence,
  encodeVersionSequence,
  expandRowIds,
  expandVersions,
  type RowIdSegment,
  rowIdSequenceOf,
  versionSequenceOf,
} from "../../src/format/row-ids.js";
import { WireWriter } from "../../src/format/wire-writer.js";
import { damaged, expectTyped } from "./damage.js";

const SEGMENTS: readonly (readonly [RowIdSegment, readonly number[]])[] = [
  [{ kind: "range", start: 5, end: 8 }, [5, 6, 7]],
  [{ kind: "range_with_holes", start: 5, end: 10, holes: Float64Array.of(5, 8, 9) }, [6, 7]],
  [
    { kind: "range_with_bitmap", start: 100, end: 110, bitmap: Uint8Array.of(0xc3, 0x03) },
    [100, 101, 106, 107, 108, 109],
  ],
  [{ kind: "sorted_array", values: Float64Array.of(1, 70_000, 2 ** 40) }, [1, 70_000, 2 ** 40]],
  [{ kind: "array", values: Float64Array.of(70_000, 1, 2 ** 33) }, [70_000, 1, 2 ** 33]],
];

const corrupt = expect.objectContaining({ code: "CORRUPT", details: expect.objectContaining({ path: "m" }) });

test.each(SEGMENTS)("%o stands for its values, also after writing and reading", (segment, values) => {
  const back = decodeRowIdSequence(encodeRowIdSequence([segment]), "m");
  expect(back).toEqual([segment]);
  expect([...expandRowIds(back, "m", values.length)]).toEqual(values);
});

test("any ids come back, with as few bytes as their spread needs", () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.nat(70_000), fc.maxSafeNat())), (ids) => {
      const bytes = encodeRowIdSequence(rowIdSequenceOf(Float64Array.from(ids)));
      expect([...expandRowIds(decodeRowIdSequence(bytes, "m"), "m", ids.length)]).toEqual(ids);
    }),
  );
  expect(encodeRowIdSequence(rowIdSequenceOf(Float64Array.from({ length: 10_000 }, (_, i) => i))).length).toBeLessThan(
    10,
  );
});

test("any versions come back", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(3)), (versions) => {
      const bytes = encodeVersionSequence(versionSequenceOf(Float64Array.from(versions)));
      expect([...expandVersions(decodeVersionSequence(bytes, "m"), "m", versions.length)]).toEqual(versions);
    }),
  );
});

test("spare bits behind a bitmap's last value are not values", () => {
  const segment: RowIdSegment = { kind: "range_with_bitmap", start: 0, end: 3, bitmap: Uint8Array.of(0xff) };
  const back = decodeRowIdSequence(encodeRowIdSequence([segment]), "m");
  expect([...expandRowIds(back, "m", 3)]).toEqual([0, 1, 2]);
});

describe("a row sequence is refused", () => {
  test("when a few bytes stand for more ids than the fragment has rows, before memory is taken for them", () => {
    const huge = decodeRowIdSequence(encodeRowIdSequence([{ kind: "range", start: 0, end: 2 ** 52 }]), "m");
    expect(() => expandRowIds(huge, "m", 10)).toThrow(corrupt);
    const runs = decodeVersionSequence(encodeVersionSequence([{ span: huge[0]!, version: 1 }]), "m");
    expect(() => expandVersions(runs, "m", 10)).toThrow(corrupt);
  });

  test("when an id is above 2^53 - 1, instead of rounding it", () => {
    const writer = new WireWriter();
    const marks = [1, 5, 3].map((field) => writer.begin(field));
    writer.data(2, new Uint8Array(8).fill(0xff));
    for (const mark of marks.reverse()) writer.commit(mark);
    expect(() => decodeRowIdSequence(writer.finish(), "m")).toThrow(corrupt);
  });

  test.each<[string, RowIdSegment]>([
    ["a range ends before it begins", { kind: "range", start: 5, end: 4 }],
    ["a hole is outside its range", { kind: "range_with_holes", start: 5, end: 9, holes: Float64Array.of(9) }],
    ["holes repeat", { kind: "range_with_holes", start: 5, end: 9, holes: Float64Array.of(6, 6) }],
    ["a bitmap is too short", { kind: "range_with_bitmap", start: 0, end: 9, bitmap: Uint8Array.of(1) }],
  ])("when %s", (_, segment) => {
    expect(() => decodeRowIdSequence(encodeRowIdSequence([segment]), "m")).toThrow(corrupt);
  });

  test("damaged ones are read or refused, and never break the process", () => {
    for (const bytes of damaged(encodeRowIdSequence(SEGMENTS.map(([segment]) => segment)))) {
      try {
        expandRowIds(decodeRowIdSequence(bytes, "m"), "m", 17);
      } catch (error) {
        expectTyped(error);
      }
    }
  });
});

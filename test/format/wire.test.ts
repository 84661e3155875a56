import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { WireReader } from "../../src/format/wire.js";
import { WireWriter } from "../../src/format/wire-writer.js";

function reader(...bytes: number[]): WireReader {
  const made = new WireReader(Uint8Array.from(bytes), "file");
  made.next();
  return made;
}

const corrupt = expect.objectContaining({ code: "CORRUPT", details: expect.objectContaining({ path: "file" }) });

test("unsigned integers of every length come back", () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), fc.maxSafeNat(), (big, small) => {
      const writer = new WireWriter(1);
      writer.uint(1, big);
      writer.uint(536_870_911, small);
      const read = new WireReader(writer.finish(), "file");
      read.next();
      expect(read.bigUint()).toBe(big);
      read.next();
      expect([read.field, read.uint(), read.next()]).toEqual([536_870_911, small, false]);
    }),
  );
});

test("negative integers take ten bytes and come back", () => {
  fc.assert(
    fc.property(fc.array(fc.integer()), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (values, big) => {
      const writer = new WireWriter();
      writer.packed(1, values);
      for (const value of values) writer.int(1, value);
      writer.int(2, big);
      const read = new WireReader(writer.finish(), "file");
      const found: number[] = [];
      while (read.next()) {
        if (read.field === 1) read.int32s(found);
        else expect(read.bigInt()).toBe(big);
      }
      expect(found).toEqual([...values, ...values]);
    }),
  );
});

test("texts and nested messages of every length come back", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), fc.nat(40_000), (text, padding) => {
      const writer = new WireWriter();
      const outer = writer.begin(1);
      const inner = writer.begin(2);
      writer.string(3, text);
      writer.data(4, new Uint8Array(padding));
      writer.commit(inner);
      writer.commit(outer);
      const read = new WireReader(writer.finish(), "file");
      read.next();
      const nested = read.message();
      nested.next();
      const deepest = nested.message();
      deepest.next();
      expect(deepest.string()).toBe(text);
      deepest.next();
      expect(deepest.view().length).toBe(padding);
      expect([deepest.next(), nested.next(), read.next()]).toEqual([false, false, false]);
    }),
  );
});

describe("refused, with path and offset", () => {
  test("a number above 2^53 - 1 where a number is wanted, instead of rounding it", () => {
    const writer = new WireWriter();
    writer.uint(1, 2n ** 53n);
    const read = new WireReader(writer.finish(), "file");
    read.next();
    expect(() => read.uint()).toThrow(corrupt);
  });

  test("a varint of eleven bytes", () => {
    expect(() => reader(8, ...Array(10).fill(0x80), 1).uint()).toThrow(corrupt);
    expect(() => reader(8, ...Array(10).fill(0x80), 1).skip()).toThrow(corrupt);
  });

  test("a varint of ten bytes above 2^64 - 1", () => {
    expect(() => reader(8, ...Array(9).fill(0xff), 0x7f).bigUint()).toThrow(corrupt);
  });

  test("a varint that the end of the message cuts off", () => {
    expect(() => reader(8, 0x80).uint()).toThrow(corrupt);
  });

  test("an i32 that needs more than 32 bits", () => {
    expect(() => reader(8, 0xff, 0xff, 0xff, 0xff, 0x7f).int32()).toThrow(corrupt);
  });

  test("a length beyond what is left, before anything is allocated", () => {
    expect(() => reader(10, 0xff, 0xff, 0xff, 0xff, 0x0f).view()).toThrow(corrupt);
    expect(() => reader(10, 2, 1).string()).toThrow(corrupt);
  });

  test("a nested length beyond the end of the message around it", () => {
    const read = reader(10, 2, 10, 3, 1, 1, 1, 1).message();
    read.next();
    expect(() => read.view()).toThrow(corrupt);
  });

  test("text that is not UTF-8", () => {
    expect(() => reader(10, 1, 0xff).string()).toThrow(corrupt);
  });

  test("a value of another wire type than the field has", () => {
    expect(() => reader(10, 1, 1).uint()).toThrow(corrupt);
    expect(() => reader(8, 1).view()).toThrow(corrupt);
  });

  test("groups, unknown wire types and field number 0", () => {
    for (const tag of [0x0b, 0x0c, 0x0e, 0x0f]) expect(() => reader(tag, 1).skip()).toThrow(corrupt);
    expect(() => reader(0)).toThrow(corrupt);
  });
});

test("fields that are kept are the bytes of the fields, whatever their type", () => {
  const bytes = Uint8Array.of(0x08, 0x96, 0x01, 0x11, 1, 2, 3, 4, 5, 6, 7, 8, 0x1a, 2, 9, 9, 0x25, 1, 2, 3, 4);
  const read = new WireReader(bytes, "file");
  const kept: Uint8Array[] = [];
  while (read.next()) read.keep(kept);
  expect(kept.flatMap((part) => [...part])).toEqual([...bytes]);
  expect(kept).toHaveLength(4);
});

import fc from "fast-check";
import { expect, test } from "vitest";
import { decodeHint, encodeHint } from "../../src/format/hint.js";
import {
  branchFileName,
  branchOfFileName,
  decodeBranch,
  decodeTag,
  encodeBranch,
  encodeTag,
  tagFileName,
  tagOfFileName,
} from "../../src/format/refs.js";
import { damaged, expectTyped } from "./damage.js";

const utf8 = new TextEncoder();
const metadata = new Map([["__proto__", "x"]]);
const tag = {
  branch: "side",
  version: 3,
  createdAt: "2026-01-01T00:00:00Z",
  updatedAt: undefined,
  manifestSize: 9,
  metadata,
};
const branch = {
  parentBranch: undefined,
  parentVersion: 3,
  versionMapping: [[3, "abc"]] as const,
  createAt: 1,
  manifestSize: 9,
  metadata,
};

test("tags and branches come back, whatever their metadata is called", () => {
  expect(decodeTag(encodeTag(tag), "t")).toEqual(tag);
  expect(decodeBranch(encodeBranch(branch), "b")).toEqual(branch);
  expect(({} as Record<string, unknown>).x).toBeUndefined();
});

test("a branch with slashes in its name is one file", () => {
  expect(branchFileName("feature/a/b")).toBe("feature%2Fa%2Fb.json");
});

test("no file stands for a branch whose directory would lie outside those of the branches", () => {
  expect(branchOfFileName("feature%2Fa%2Fb.json")).toBe("feature/a/b");
  const names = ["..%2F..%2Fx", "a%2F%2Fb", "%5C", "", "%00", "%2Fetc", "C%3A", "%zz", ".tmp-a"];
  for (const name of ["README", ...names.map((one) => `${one}.json`)]) {
    expect(branchOfFileName(name), name).toBeUndefined();
  }
});

test("a file stands for a tag only under the one name that the tag has, and never for a place elsewhere", () => {
  for (const name of ["v1.0", "naïve", "日本"]) expect(tagOfFileName(tagFileName(name))).toBe(name);
  for (const name of ["..%2Fx", "a%2Fb", "%61", "na%c3%afve", "naïve", "", "%00", "%zz", ".tmp-a"]) {
    expect(tagOfFileName(`${name}.json`), name).toBeUndefined();
  }
});

test("a tag that older writers made, without times and metadata, is read", () => {
  expect(decodeTag(utf8.encode('{"version":2,"manifestSize":5}'), "t")).toMatchObject({
    version: 2,
    createdAt: undefined,
  });
});

test.each([
  "",
  "null",
  "[]",
  "{",
  '{"version":-1,"manifestSize":5}',
  '{"version":1.5,"manifestSize":5}',
  '{"version":9007199254740993,"manifestSize":5}',
  '{"version":"2","manifestSize":5}',
  '{"version":2}',
  '{"version":2,"manifestSize":5,"branch":7}',
  '{"version":2,"manifestSize":5,"metadata":[]}',
  '{"version":2,"manifestSize":5,"metadata":{"a":1}}',
])("%j is no tag", (text) => {
  expect(() => decodeTag(utf8.encode(text), "t")).toThrow(expect.objectContaining({ code: "CORRUPT" }));
});

test("damaged tags and branches are read or refused, and never break the process", () => {
  for (const bytes of damaged(encodeTag(tag))) {
    try {
      decodeTag(bytes, "t");
    } catch (error) {
      expectTyped(error);
    }
  }
  for (const bytes of damaged(encodeBranch(branch))) {
    try {
      decodeBranch(bytes, "b");
    } catch (error) {
      expectTyped(error);
    }
  }
});

test("the hint is what native writes, and comes back", () => {
  expect(new TextDecoder().decode(encodeHint(12))).toBe('{"version":12}');
  fc.assert(
    fc.property(fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }), (version) => {
      expect(decodeHint(encodeHint(version))).toBe(version);
    }),
  );
});

test("a hint that makes no sense is no hint, and no error", () => {
  for (const text of [
    "",
    "x",
    "null",
    "7",
    "{}",
    '{"version":0}',
    '{"version":-1}',
    '{"version":1.5}',
    '{"version":"1"}',
  ]) {
    expect(decodeHint(utf8.encode(text))).toBeUndefined();
  }
  expect(decodeHint(utf8.encode(`{"version":1${" ".repeat(2_000)}}`))).toBeUndefined();
  fc.assert(fc.property(fc.uint8Array(), (bytes) => void decodeHint(bytes)));
});

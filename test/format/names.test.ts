import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  checkColumnName,
  checkRelativePath,
  checkTableName,
  checkTagName,
  deletionPath,
  manifestName,
  manifestPath,
  parseManifestName,
  tableDirectory,
  tableNameOf,
  transactionName,
} from "../../src/format/layout.js";

const TRAPS = ["", ".", "..", "a/b", "a\\b", "../a", "/a", "a\0b", "a\nb", "a b", "ä", "x".repeat(256), "a:b", "a%2Fb"];

test("manifest names are those of native LanceDB in both schemes", () => {
  expect(manifestName(1, "v2")).toBe("18446744073709551614.manifest");
  expect(manifestPath(12, "v1")).toBe("_versions/12.manifest");
  expect(parseManifestName("18446744073709551614.manifest")).toEqual({ version: 1, scheme: "v2" });
});

test("every version number comes back from its name, in both schemes", () => {
  fc.assert(
    fc.property(fc.maxSafeNat(), fc.constantFrom("v1" as const, "v2" as const), (version, scheme) => {
      expect(parseManifestName(manifestName(version, scheme))).toEqual({ version, scheme });
    }),
  );
});

test("names in the v2 scheme sort from new to old", () => {
  const names = [1, 9, 10, 99, 2 ** 40].map((version) => manifestName(version, "v2"));
  expect([...names].sort().reverse()).toEqual(names);
});

test.each([
  "latest_version_hint.json",
  "18446744073709551614.manifest#1",
  ".tmp18446744073709551614.manifest",
  "d18446744073709551614.manifest",
  "007.manifest",
  "18446744073709551616.manifest",
  "00000000000000000001.manifest",
  "9007199254740993.manifest",
  "1.manifest.tmp",
  "-1.manifest",
  "1e3.manifest",
])("%s is no version", (name) => {
  expect(parseManifestName(name)).toBeUndefined();
});

describe("names that callers give", () => {
  test.each([...TRAPS, "x".repeat(250)])("no table is called %j", (name) => {
    expect(() => checkTableName(name)).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
    expect(() => tableDirectory(name)).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
  });

  test.each([...TRAPS.filter((name) => name !== "ä"), ".hidden", "end.", "a..b", "a.lock", "x".repeat(251)])(
    "no tag is called %j",
    (name) => {
      expect(() => checkTagName(name)).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
    },
  );

  test.each(["", "a.b", "a\0b", "a\nb", "x".repeat(256), "ä".repeat(128)])("no column is called %j", (name) => {
    expect(() => checkColumnName(name)).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
  });

  test("a value that is no text is refused like a bad name", () => {
    expect(() => checkTableName(undefined as unknown as string)).toThrow(
      expect.objectContaining({ code: "INVALID_ARGUMENT" }),
    );
  });

  test("plain names, also those of Object's own properties, are allowed", () => {
    for (const name of ["flights", "a-b_c.d", "__proto__", "x".repeat(249)]) {
      expect(tableNameOf(tableDirectory(name))).toBe(name);
      checkTagName(name);
    }
    for (const name of ["__proto__", "größe in m", "a-b", "x".repeat(255)]) checkColumnName(name);
  });
});

test("directories that are no tables have no table name", () => {
  for (const name of ["a.lance.tmp", "x", ".lance", "...lance", "a b.lance"]) expect(tableNameOf(name)).toBeUndefined();
});

test("a path in a manifest stays inside the table or is corrupt", () => {
  for (const path of ["a.lance", "a/b c.lance", "year=2020/x.lance", "ä.lance"]) checkRelativePath(path, "data file");
  for (const path of ["", "/a", "a/", "a//b", ".", "..", "a/../b", "./a", "a\\..\\b", "C:x", "a\0", "x".repeat(256)]) {
    expect(() => checkRelativePath(path, "data file")).toThrow(expect.objectContaining({ code: "CORRUPT" }));
  }
});

test("file names carry the numbers that the manifest keeps", () => {
  const file = { kind: "bitmap" as const, readVersion: 3, id: 2n ** 64n - 1n, deletedRows: 1 };
  expect(deletionPath(7, file)).toBe("_deletions/7-3-18446744073709551615.bin");
  expect(deletionPath(7, { ...file, kind: "arrow" })).toBe("_deletions/7-3-18446744073709551615.arrow");
  expect(transactionName(0, "abc")).toBe("0-abc.txn");
});

/** Addresses of databases, paths of objects and names of temporaries. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { openStore } from "../../src/store/open.js";
import { compareNames, nameOf, parentOf, temporaryPath, temporaryTarget } from "../../src/store/paths.js";
import { systemRuntime } from "../../src/support/runtime.js";

test("plain paths and file:// addresses lead to local stores", () => {
  for (const [uri, display] of [
    ["/a/b", "/a/b"],
    ["/a/./b/../c/", "/a/c"],
    ["relative", `${process.cwd()}/relative`],
    ["file:///a/b", "/a/b"],
    ["file:///a%20b", "/a b"],
    ["FILE:///a", "/a"],
  ] as const) {
    const store = openStore(uri);
    expect([store.scheme, store.display]).toEqual(["file", display]);
  }
});

test("memory:// makes a new, empty store each time", async () => {
  const [one, two] = [openStore("memory://"), openStore("memory://")];
  await one.write("x", [], { durable: true });
  expect(await two.list("")).toEqual([]);
  expect([one.scheme, one.display]).toEqual(["memory", "memory://"]);
});

test("other schemes are NOT_SUPPORTED, and what is no address is INVALID_ARGUMENT", () => {
  for (const uri of ["s3://bucket/x", "gs://b", "az://c", "db://x", "http://x"]) {
    expect(() => openStore(uri)).toThrow(expect.objectContaining({ code: "NOT_SUPPORTED" }));
  }
  for (const uri of ["", "a\0b", "file://otherhost/x", "file:///a%2Fb"]) {
    expect(() => openStore(uri)).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
  }
});

test("names compare as their UTF-8 bytes do", () => {
  const anyName = fc.string({ unit: "grapheme", maxLength: 6 });
  fc.assert(
    fc.property(anyName, anyName, (a, b) => {
      expect(Math.sign(compareNames(a, b))).toBe(Math.sign(Buffer.compare(Buffer.from(a), Buffer.from(b))));
    }),
  );
  expect(compareNames("\uffff", "😀")).toBeLessThan(0);
});

test("the target of a temporary can be read from its name, and other names are no temporaries", () => {
  for (const path of ["d/1.manifest", "x", "a/b/odd-name-0123456789abcdef0123456789abcdef"]) {
    const temporary = temporaryPath(path, systemRuntime.uuid());
    expect(parentOf(temporary)).toBe(parentOf(path));
    expect(temporaryTarget(nameOf(temporary))).toBe(nameOf(path));
  }
  for (const name of ["1.manifest", ".tmpAbC123", ".tmp-x", "1.manifest#1", ".tmp--0123456789abcdef0123456789abcdef"]) {
    expect(temporaryTarget(name)).toBeUndefined();
  }
});

import { expect, test } from "vitest";
import { LruCache } from "../../src/support/lru-cache.js";

const keysOf = (cache: LruCache<string, number>) => ["a", "b", "c", "d"].filter((key) => cache.get(key) !== undefined);

function abc(weightMax: number): LruCache<string, number> {
  const cache = new LruCache<string, number>(weightMax, (weight) => weight);
  for (const key of ["a", "b", "c"]) cache.set(key, 10);
  return cache;
}

test("what was read lately outlives what was written lately", () => {
  const cache = abc(30);
  expect(cache.get("a")).toBe(10);
  cache.set("d", 10);
  expect(keysOf(cache)).toEqual(["a", "c", "d"]);
});

test("trimming leaves as many as asked, those used last, and none is lost where there are fewer", () => {
  const cache = abc(30);
  cache.get("a");
  cache.trim(3);
  expect(cache.size).toBe(3);
  cache.trim(2);
  expect(cache.size).toBe(2);
  expect(keysOf(cache)).toEqual(["a", "c"]);
});

test("a value that takes the place of another one weighs once; what was let go weighs nothing", () => {
  const cache = abc(30);
  for (let i = 0; i < 10; i++) cache.set("c", 10);
  expect(keysOf(cache)).toEqual(["a", "b", "c"]);
  cache.trim(1);
  cache.delete("c");
  for (const key of ["a", "b", "d"]) cache.set(key, 10);
  expect(keysOf(cache)).toEqual(["a", "b", "d"]);
  cache.clear();
  for (const key of ["a", "b", "c"]) cache.set(key, 10);
  expect(keysOf(cache)).toEqual(["a", "b", "c"]);
});

test("a value heavier than the whole cache drives nothing out, and takes an older one of its name along", () => {
  const cache = abc(30);
  cache.set("c", 31);
  expect(keysOf(cache)).toEqual(["a", "b"]);
  cache.set("c", 30);
  expect(keysOf(cache)).toEqual(["c"]);
});

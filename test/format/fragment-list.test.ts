import { Buffer } from "node:buffer";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeFragment, encodeFragment, type Fragment } from "../../src/format/fragment.js";
import { FragmentList } from "../../src/format/fragment-list.js";
import { fragment, fragments, fragmentWithId } from "./arbitraries.js";

function plain(id: number, physicalRows = 10): Fragment {
  return { id, files: [], physicalRows };
}

/** Checks a list against a plain array of what it should hold. */
function expectSame(list: FragmentList, model: readonly Fragment[]): void {
  expect(list.length).toBe(model.length);
  expect(list.ids()).toEqual(model.map(({ id }) => id));
  expect([...list]).toEqual(model);
  expect(model.map(({ id }) => list.indexOf(id))).toEqual(model.map((_, i) => i));
  const physicalRows = model.reduce((sum, one) => sum + one.physicalRows, 0);
  expect(list.physicalRows()).toBe(physicalRows);
  const deleted = model.reduce((sum, one) => sum + (one.deletionFile?.deletedRows ?? 0), 0);
  expect(list.rowCount()).toBe(physicalRows - deleted);
  expect(list.hasDeletions()).toBe(model.some((one) => one.deletionFile !== undefined));
}

/** The list as a manifest would bring it back. */
function reread(list: FragmentList): FragmentList {
  return FragmentList.fromEncoded([...list].map(encodeFragment));
}

test("a fragment that is written and read again says the same, unknown fields included", () => {
  fc.assert(
    fc.property(fragment, (one) => {
      expect(decodeFragment(encodeFragment(one), "x")).toEqual(one);
    }),
  );
});

test("any sequence of appends, changes and removals holds what a plain array would hold", () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant("append" as const), count: fc.nat(3), seed: fc.nat() }),
    fc.record({ kind: fc.constant("change" as const), picks: fc.array(fc.nat(), { maxLength: 4 }), seed: fc.nat() }),
    fc.record({ kind: fc.constant("remove" as const), picks: fc.array(fc.nat(), { maxLength: 4 }) }),
    fc.record({ kind: fc.constant("reread" as const) }),
  );
  fc.assert(
    fc.property(fragments, fc.array(step, { maxLength: 30 }), (start, steps) => {
      let model: readonly Fragment[] = start;
      let list = FragmentList.from([...start].reverse());
      let nextId = 2_000;
      for (const one of steps) {
        if (one.kind === "append") {
          const added = Array.from({ length: one.count }, (_, i) => sampled(nextId + i, one.seed));
          nextId += one.count;
          model = [...model, ...added];
          list = list.append(added);
        } else if (one.kind === "reread") list = reread(list);
        else {
          const ids = new Set(one.picks.filter(() => model.length > 0).map((pick) => model[pick % model.length]!.id));
          const seed = one.kind === "change" ? one.seed : undefined;
          const change = (id: number) => (seed === undefined ? null : sampled(id, seed));
          const changes = new Map([...ids].map((id) => [id, change(id)]));
          model = model.flatMap((old) => (changes.has(old.id) ? (changes.get(old.id) ?? []) : old));
          list = list.replace(changes);
        }
      }
      expectSame(list, model);
      expectSame(reread(list), model);
    }),
    { numRuns: 150 },
  );
});

function sampled(id: number, seed: number): Fragment {
  return fc.sample(fragmentWithId(id), { numRuns: 1, seed })[0]!;
}

test("a thousand single appends and changes leave a handful of pieces and the same content", () => {
  let list = FragmentList.from([plain(0)]);
  const model = [plain(0)];
  for (let id = 1; id <= 1_000; id++) {
    list = list.append([plain(id)]);
    model.push(plain(id));
    const changed = (id * 7) % model.length;
    model[changed] = plain(changed, id);
    list = list.replace(new Map([[changed, model[changed]!]]));
    expect(list.chunks().length).toBeLessThanOrEqual(64);
  }
  expectSame(list, model);
  expect(Buffer.concat(list.chunks())).toEqual(Buffer.concat(reread(list).chunks()));
});

test("changing a list leaves the list it came from as it was", () => {
  const before = FragmentList.from([plain(1), plain(2), plain(3)]);
  before.replace(new Map([[2, null]])).append([plain(9)]);
  expectSame(before, [plain(1), plain(2), plain(3)]);
});

test("a fragment that nobody touched is decoded once, also through later versions of the list", () => {
  const list = reread(FragmentList.from([plain(1), plain(2)]));
  const first = list.at(0);
  expect(
    list
      .append([plain(3)])
      .replace(new Map([[2, null]]))
      .byId(1),
  ).toBe(first);
});

describe("mistakes of our own stop at once", () => {
  const list = FragmentList.from([plain(5), plain(6)]);

  test.each([
    ["an id that is there already", () => list.append([plain(6)])],
    ["two equal ids", () => list.append([plain(7), plain(7)])],
    ["a change of a fragment that is not there", () => list.replace(new Map([[4, plain(4)]]))],
    ["a change that gives a fragment another id", () => list.replace(new Map([[5, plain(8)]]))],
    ["an index outside the list", () => list.at(2)],
  ])("%s", (_, mistake) => {
    expect(mistake).toThrow(expect.objectContaining({ code: "INTERNAL" }));
  });
});

test("ids that are not there are not found, wherever they would be", () => {
  const list = FragmentList.from([plain(5), plain(8)]).append([plain(10)]);
  for (const id of [0, 6, 9, 11]) {
    expect(list.indexOf(id)).toBe(-1);
    expect(list.byId(id)).toBeUndefined();
  }
});

test("a data file whose path leads out of the table is refused", () => {
  for (const path of ["../x.lance", "/etc/passwd", "a//b", "", "a/../b", "a\\b", "c:x", "a\0b", "x".repeat(256)]) {
    const file = { path, fields: [], columnIndices: [], majorVersion: 2, minorVersion: 2, sizeBytes: 0 };
    const bytes = encodeFragment({ ...plain(1), files: [file] });
    expect(() => decodeFragment(bytes, "m")).toThrow(expect.objectContaining({ code: "CORRUPT" }));
  }
});

test("a row sequence whose path leads out of the table is refused, of ids and of versions", () => {
  for (const name of ["rowIds", "createdVersions", "lastUpdatedVersions"] as const) {
    const at = (path: string) => ({ [name]: { kind: "external", path, offset: 0, sizeBytes: 1 } as const });
    expect(decodeFragment(encodeFragment({ ...plain(1), ...at("ids/a.bin") }), "m")).toMatchObject(at("ids/a.bin"));
    for (const path of ["../x.bin", "/etc/passwd", "a/../b", "a\\b", ""]) {
      const bytes = encodeFragment({ ...plain(1), ...at(path) });
      expect(() => decodeFragment(bytes, "m"), `${name} ${path}`).toThrow(expect.objectContaining({ code: "CORRUPT" }));
    }
  }
});

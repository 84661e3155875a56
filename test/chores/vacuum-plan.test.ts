import { describe, expect, test } from "vitest";
import type { Holder, HolderState } from "../../src/chores/holders.js";
import type { Candidate } from "../../src/chores/orphans.js";
import {
  type FileFacts,
  judgeFile,
  judgeVersion,
  nextBoundary,
  type VersionFacts,
} from "../../src/chores/vacuum-plan.js";
import { type Boundary, NO_BOUNDARY } from "../../src/commit/boundary.js";

const DAY_MS = 86_400_000;

function holder(name: string, state: HolderState, body: Partial<NonNullable<Holder["content"]>> = {}): Holder {
  const content = { versions: [], from: undefined, settled: 0, ended: false, process: undefined, ttlMs: 1, since: "" };
  return { holder: name, state, content: { ...content, ...body } };
}

const FACTS: VersionFacts = {
  head: 10,
  olderThanMs: 1000,
  boundary: NO_BOUNDARY,
  tags: new Map([[3, ["gold"]]]),
  branches: new Map([[4, ["side"]]]),
  holders: [holder("a", "live", { versions: [5], from: 8 }), holder("b", "gone", { versions: [6] })],
};

describe("a version", () => {
  test.each([
    [10, 0, true, "newest"],
    [2, 1000, true, "not before"],
    [2, 999, false, "nothing needs it"],
    [3, 0, true, "tag 'gold'"],
    [4, 0, true, "branch 'side'"],
    [5, 0, true, "may be reading it"],
    [8, 0, true, "may be reading it"],
    [6, 0, false, "nothing needs it"],
    [7, 0, false, "nothing needs it"],
  ])("%i, made at %i: kept %s", (version, madeMs, keep, why) => {
    const verdict = judgeVersion(version, madeMs, FACTS);
    expect(verdict.keep).toBe(keep);
    expect(verdict.why).toContain(why);
  });

  test("that was retired goes although it is young or tagged, but not from under its reader", () => {
    const boundary: Boundary = { ...NO_BOUNDARY, upTo: 6 };
    expect(judgeVersion(3, 5000, { ...FACTS, boundary }).keep).toBe(false);
    expect(judgeVersion(5, 0, { ...FACTS, boundary }).keep).toBe(true);
  });

  test("is safe from a lease that nobody can read: its holder may be reading everything", () => {
    const unreadable: Holder = { holder: "c", state: "live", content: undefined };
    expect(judgeVersion(1, 0, { ...FACTS, holders: [unreadable] }).keep).toBe(true);
  });
});

describe("the boundary", () => {
  test("moves up and never brings back what was retired", () => {
    const old: Boundary = { upTo: 6, kept: new Set([2, 5]), expelled: new Set(["x"]) };
    const next = nextBoundary(old, [5, 9], [1, 2, 3, 7, 8, 12], ["y"]);
    expect(next.upTo).toBe(9);
    expect([...next.kept].sort()).toEqual([2, 7, 8]);
    expect([...next.expelled]).toEqual(["x", "y"]);
  });

  test("stays where it is when no version goes", () => {
    expect(nextBoundary({ ...NO_BOUNDARY, upTo: 6 }, [], [7], []).upTo).toBe(6);
  });
});

describe("a file", () => {
  const facts: FileFacts = {
    needed: new Map([["data/needed", 7]]),
    passed: new Map([["data/passed", 2]]),
    holders: new Map([
      ["live0000", holder("live0000", "live", { settled: 5 })],
      ["gone0000", holder("gone0000", "gone")],
      ["late0000", holder("late0000", "expired")],
    ]),
    onlyOurs: false,
    deleteUnverified: false,
  };
  const file = (path: string, maker: Candidate["maker"], owner?: string, sequence = 0): Candidate => ({
    path,
    kind: "object",
    maker,
    mark: owner === undefined ? undefined : { holder: owner, sequence },
  });
  const unknown = file("data/unknown", "foreign");
  const perhaps = file("_deletions/1", "perhaps", "none0000");

  test.each([
    ["needed by a version", file("data/needed", "marked", "gone0000"), {}, 0, true],
    ["of a write under way", file("data/x", "marked", "live0000", 5), {}, 365 * DAY_MS, true],
    [
      "of a write under way, whatever the caller says",
      file("data/x", "marked", "live0000", 5),
      { deleteUnverified: true },
      0,
      true,
    ],
    ["that its maker is done with", file("data/x", "marked", "live0000", 4), {}, 0, false],
    ["of a dead process", file("data/x", "marked", "gone0000", 9), {}, 0, false],
    ["of a process that was taken for dead", file("_deletions/x", "perhaps", "late0000", 9), {}, 0, false],
    ["of a holder that gave back its lease", file("data/x", "marked", "none0000"), {}, 0, false],
    ["that may be a native writer's", perhaps, {}, 6 * DAY_MS, true],
    ["that no native writer can have made", perhaps, { onlyOurs: true }, 0, false],
    ["of an unknown maker, young", unknown, {}, 7 * DAY_MS, true],
    ["of an unknown maker, from the future", unknown, {}, Number.NEGATIVE_INFINITY, true],
    ["of an unknown maker, old", unknown, {}, 7 * DAY_MS + 1, false],
    ["of an unknown maker, on demand", unknown, { deleteUnverified: true }, 0, false],
    ["of an unknown maker that only old versions needed", file("data/passed", "foreign"), {}, 0, false],
    ["that an interrupted removal left", file("_indices/.tmp", "rest"), {}, 0, false],
  ])("%s", (_what, candidate, change, ageMs, keep) => {
    expect(judgeFile(candidate, { ...facts, ...change }, ageMs).keep).toBe(keep);
  });
});

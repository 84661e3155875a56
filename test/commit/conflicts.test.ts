/**
 * Every pair of operations, by the real commit loop: the second writer commits while the first one is stopped between
 * planning and publication. The outcome is the verdict of the table, and the content is that of a serial run.
 */
import { describe, expect, test } from "vitest";
import { VERDICTS } from "../../src/commit/conflicts.js";
import { judgements, type Verdict } from "../../src/commit/judgements.js";
import { ACTS, type NamedAct, OTHER_ACTS } from "./conflict-acts.js";
import { type Ending, race, type Stop, serially } from "./two-writers.js";

type Mine = keyof typeof ACTS;
type Theirs = Mine | keyof typeof OTHER_ACTS;
const THEIRS: Readonly<Record<Theirs, NamedAct>> = { ...ACTS, ...OTHER_ACTS };
const names = <K extends string>(record: Readonly<Record<K, unknown>>) => Object.keys(record) as K[];

/** What a judgement says of a pair; pairs that are not named get the judgement's other answer. */
const NEW_FILE: Theirs = "rewrite columns of the fragment";
const SAME_ROW = new Set<Theirs>(["delete row 3", "update row 3", "upsert row 3", "delete the fragment", NEW_FILE]);
const SAME_FRAGMENT = new Set<Theirs>(["delete row 4", "update row 4"]);

const rows = (theirs: Theirs): Verdict =>
  SAME_ROW.has(theirs) ? "retry" : SAME_FRAGMENT.has(theirs) ? "rebase" : "compatible";
const addsRows = (theirs: Theirs) =>
  theirs !== NEW_FILE && (THEIRS[theirs].kind === "append" || THEIRS[theirs].kind === "update");
const insertsByKey = (mine: Mine) => mine === "upsert key 100";

const JUDGED: Readonly<Record<keyof typeof judgements, (mine: Mine, theirs: Theirs) => Verdict>> = {
  sameRows: (mine, theirs) => (insertsByKey(mine) ? "compatible" : rows(theirs)),
  sameRowsOrKeys: (mine, theirs) => (insertsByKey(mine) ? (addsRows(theirs) ? "retry" : "compatible") : rows(theirs)),
  absentKeys: (mine, theirs) => (insertsByKey(mine) && addsRows(theirs) ? "retry" : "compatible"),
  sameFragments: (mine) => (insertsByKey(mine) ? "compatible" : "retry"),
  carryDeletions: (_mine, theirs) =>
    theirs === "upsert key 100" ? "compatible" : theirs === NEW_FILE ? "retry" : "rebase",
  rewrittenIndex: () => "compatible",
  liveFields: (_mine, theirs) => (theirs === "cast n" || theirs === "drop s" ? "retry" : "compatible"),
  schemaMetadata: (_mine, theirs) => (theirs.startsWith("metadata") ? "retry" : "compatible"),
  sameKeys: (_mine, theirs) => (theirs === "metadata of n" || theirs === "a config key" ? "compatible" : "fail"),
};

function expectedVerdict(mine: Mine, theirs: Theirs): Verdict {
  const cell = VERDICTS[ACTS[mine].kind][THEIRS[theirs].kind];
  return cell in judgements ? JUDGED[cell as keyof typeof judgements](mine, theirs) : (cell as Verdict);
}

function observedVerdict({ verdicts }: Ending, mine: Mine, theirs: Theirs): Verdict | undefined {
  const met = verdicts.find(({ operation, winner }) => operation === ACTS[mine].kind && winner === THEIRS[theirs].kind);
  if (met === undefined) return undefined;
  return met.failed > 0 ? "fail" : met.retried > 0 ? "retry" : met.rebased > 0 ? "rebase" : "compatible";
}

const runs = new Map<string, ReturnType<typeof serially>>();

/** Acts one after the other, by name; the same run serves every test that asks for it. */
function serial(...acts: readonly Theirs[]): ReturnType<typeof serially> {
  const key = acts.join();
  const run = runs.get(key) ?? serially(...acts.map((name) => THEIRS[name].act));
  runs.set(key, run);
  return run;
}

const pairs = names(ACTS).flatMap((mine) => names(THEIRS).map((theirs) => [mine, theirs] as const));

describe.each(["before the manifest is staged", "before the link"] as Stop[])("stopped %s", (stop) => {
  test.each(pairs)("%s meets %s", async (mine, theirs) => {
    const verdict = expectedVerdict(mine, theirs);
    const ending = await race(ACTS[mine].act, THEIRS[theirs].act, stop);
    expect(ending.theirs).toBe("done");
    expect(ending.leftovers).toEqual([]);
    expect(observedVerdict(ending, mine, theirs)).toBe(verdict);
    const expected = await serial(...(verdict === "fail" ? [theirs] : [theirs, mine]));
    // What is compatible may as well have come first: a column is found by its id, not by the name it has by now.
    const orders = [expected];
    if (verdict === "compatible") {
      orders.push(await serial(mine, theirs));
      if (ACTS[mine].kind === "overwrite") orders.push(await serial(mine));
    }
    const order = orders.find(({ content }) => content === ending.content);
    expect(order?.content ?? expected.content).toBe(ending.content);
    // A compaction lets be what it cannot have, and does not fail.
    if (ACTS[mine].kind === "rewrite") return;
    expect(ending.mine).toBe(verdict === "fail" ? "CONFLICT" : verdict === "compatible" ? "done" : expected.codes[1]);
  });
});

describe("stopped after the link", () => {
  test.each(pairs)("%s is committed before %s, and says so", async (mine, theirs) => {
    const ending = await race(ACTS[mine].act, THEIRS[theirs].act, "after the link");
    const expected = await serial(mine, theirs);
    expect([ending.mine, ending.theirs]).toEqual(expected.codes);
    expect(ending.content).toBe(expected.content);
    expect(ending.leftovers).toEqual([]);
    expect(ending.verdicts).toEqual([]);
  });
});

test("of several winners every one is judged, and the gravest verdict holds", async () => {
  const both: NamedAct["act"] = async (table, store) => {
    await THEIRS["delete row 3"].act(table, store);
    await THEIRS["append 100"].act(table, store);
  };
  for (const mine of ["update row 3", "delete row 3"] as const) {
    const ending = await race(ACTS[mine].act, both, "before the link");
    expect(ending.content).toBe((await serial("delete row 3", "append 100")).content);
    expect(observedVerdict(ending, mine, "delete row 3")).toBe("retry");
    expect(observedVerdict(ending, mine, "append 100")).not.toBe("fail");
  }
});

describe("the matrix", () => {
  /** Kinds of my operation that no race can show, and why. */
  const NOT_MINE = {
    create_index: "native LanceDB builds indices; nothing here makes the transaction",
    data_replacement: "only native LanceDB replaces columns of a fragment in place",
    clone: "only native LanceDB clones tables",
    reserve_fragments: "compaction numbers its fragments at commit, so nothing here reserves ids",
    unknown: "what is not known cannot be made",
  };

  test("every kind that is made here is run, and every other one says why it cannot be", () => {
    const run = new Set<string>(names(ACTS).map((name) => ACTS[name].kind));
    expect([...run, ...names(NOT_MINE)].sort()).toEqual(Object.keys(VERDICTS).sort());
  });

  test("every kind is met", () => {
    const met = new Set<string>(names(THEIRS).map((name) => THEIRS[name].kind));
    expect([...met].sort()).toEqual(Object.keys(VERDICTS).sort());
  });

  test("every judgement of a row that is run gives each of its answers in some pair", () => {
    const answers = new Map<string, Set<Verdict>>();
    for (const [mine, theirs] of pairs) {
      const cell = VERDICTS[ACTS[mine].kind][THEIRS[theirs].kind];
      if (!(cell in judgements)) continue;
      const seen = answers.get(cell) ?? new Set();
      answers.set(cell, seen.add(expectedVerdict(mine, theirs)));
    }
    // Compaction with indices is covered where compaction is: an index needs files that nobody here can make.
    const elsewhere: readonly string[] = ["rewrittenIndex", "sameFragments", "absentKeys"];
    for (const [name, judgement] of Object.entries(judgements)) {
      if (elsewhere.includes(name)) continue;
      expect([...(answers.get(name) ?? [])].sort(), name).toEqual([...judgement.verdicts].sort());
    }
  });
});

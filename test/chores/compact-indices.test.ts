import { describe, expect, test } from "vitest";
import { Connection } from "../../src/api/connection.js";
import { Database } from "../../src/api/database.js";
import { settingsOf } from "../../src/api/options.js";
import { classesOf } from "../../src/chores/compact-indices.js";
import { nextManifest } from "../../src/commit/next-manifest.js";
import { FLAG_STABLE_ROW_IDS } from "../../src/format/flags.js";
import type { Fragment } from "../../src/format/fragment.js";
import { FragmentList } from "../../src/format/fragment-list.js";
import {
  decodeIndexEntry,
  decodeIndexSection,
  encodeIndexSection,
  withFragmentIds,
} from "../../src/format/index-section.js";
import type { Manifest } from "../../src/format/manifest.js";
import { openStore } from "../../src/store/open.js";
import { systemRuntime } from "../../src/support/runtime.js";

/** A manifest of six one-row fragments, with indices that cover these fragments. */
async function manifestOf(covered: readonly (readonly number[] | undefined)[], stable: boolean): Promise<Manifest> {
  const settings = settingsOf({ maintenance: { auto: false } });
  const database = new Database(openStore("memory://", { runtime: systemRuntime }), "memory://");
  const table = await new Connection(database, settings).createTable("t", [{ id: 0 }]);
  for (let id = 1; id < 6; id++) await table.add([{ id }]);
  const { manifest } = await database.table("t", settings).shared.refresh();
  const entries = covered.map((ids) => {
    const empty = decodeIndexEntry(new Uint8Array(), "an index");
    return ids === undefined ? empty : withFragmentIds(empty, Uint32Array.from(ids));
  });
  const flags = stable ? FLAG_STABLE_ROW_IDS : 0n;
  return {
    ...manifest,
    readerFlags: manifest.readerFlags | flags,
    writerFlags: manifest.writerFlags | flags,
    indexSection: encodeIndexSection({ entries }),
  };
}

const ALL = [0, 1, 2, 3, 4, 5];

describe("fragments that indices cover", () => {
  test("are left alone where an index points at addresses", async () => {
    const classOf = classesOf(
      await manifestOf(
        [
          [0, 1],
          [1, 2],
        ],
        false,
      ),
    );
    expect(ALL.map(classOf).map((one) => one !== undefined)).toEqual([false, false, false, true, true, true]);
  });

  test("are merged with fragments of the same indices where rows have stable ids", async () => {
    const classOf = classesOf(
      await manifestOf(
        [
          [0, 1, 2, 3],
          [2, 3],
        ],
        true,
      ),
    );
    const classes = ALL.map(classOf);
    expect(classes).not.toContain(undefined);
    expect(classes.map((one) => classes.indexOf(one))).toEqual([0, 0, 2, 2, 4, 4]);
  });

  test("are left alone when an index does not say what it covers", async () => {
    expect(ALL.map(classesOf(await manifestOf([undefined], true)))).toEqual(ALL.map(() => undefined));
  });

  test("are followed by their indices into the new fragments, with stable row ids only", async () => {
    const coveredAfter = async (stable: boolean) => {
      const head = await manifestOf(
        [
          [0, 1, 2, 3],
          [2, 3],
        ],
        stable,
      );
      const group = (from: number, to: number) => {
        const oldFragments = [...head.fragments].slice(from, to);
        const copy: Fragment = { ...oldFragments[0]!, id: 0, physicalRows: to - from };
        return { oldFragments, newFragments: [copy] };
      };
      const next = nextManifest(
        head,
        { kind: "rewrite", groups: [group(0, 2), group(2, 4), group(4, 6)], rewrittenIndices: [] },
        { nowMs: 0, transaction: new Uint8Array() },
      );
      expect(next.fragments).toBeInstanceOf(FragmentList);
      expect(next.fragments.ids()).toEqual([6, 7, 8]);
      return decodeIndexSection(next.indexSection!, "indices").entries.map((entry) => [...entry.fragmentIds!]);
    };
    expect(await coveredAfter(true)).toEqual([[6, 7], [7]]);
    expect(await coveredAfter(false)).toEqual([
      [0, 1, 2, 3],
      [2, 3],
    ]);
  });
});

/** Where the head is: with every sort of hint, gaps, both schemes of names, dropped tables, and at what price. */
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { Connection } from "../../src/api/connection.js";
import { Database } from "../../src/api/database.js";
import { settingsOf } from "../../src/api/options.js";
import { newBoundaryMemo, RETIRED_PATH } from "../../src/commit/boundary.js";
import { findHead, refreshHead } from "../../src/commit/head.js";
import { SharedTable } from "../../src/commit/shared-table.js";
import { HINT_PATH, manifestPath, type NamingScheme, REFS_BRANCHES, REFS_TAGS } from "../../src/format/layout.js";
import { connect } from "../../src/index.js";
import { memoryStore } from "../../src/store/memory.js";
import { openStore } from "../../src/store/open.js";
import { within } from "../../src/store/within.js";
import { systemRuntime } from "../../src/support/runtime.js";
import { WrappedStore } from "./wrapped-store.js";

interface Names {
  readonly versions: readonly number[];
  readonly scheme?: NamingScheme;
  /** Content of the hint file; no file without it. */
  readonly hint?: string;
  readonly tag?: boolean;
  readonly branch?: boolean;
  readonly retired?: number;
}

const QUICK = { durable: false };
const text = (value: string) => [new TextEncoder().encode(value)];

async function storeWith({ versions, scheme = "v2", hint, tag, branch, retired }: Names): Promise<WrappedStore> {
  const store = new WrappedStore(memoryStore(""));
  for (const version of versions) await store.write(manifestPath(version, scheme), text(`${version}`), QUICK);
  if (hint !== undefined) await store.write(HINT_PATH, text(hint), QUICK);
  if (tag) await store.write(`${REFS_TAGS}/old.json`, text("{}"), QUICK);
  if (branch) await store.write(`${REFS_BRANCHES}/side.json`, text("{}"), QUICK);
  if (retired !== undefined) await store.write(RETIRED_PATH, text(JSON.stringify({ upTo: retired })), QUICK);
  store.forget();
  return store;
}

const memo = () => ({ identity: undefined, version: 0 });
const upTo = (last: number, first = 1) => Array.from({ length: last - first + 1 }, (_, i) => first + i);

const FINDS: readonly [string, Names, number | undefined, "without a listing" | "by a listing"][] = [
  ["no hint", { versions: upTo(5) }, 5, "by a listing"],
  ["a good hint", { versions: upTo(5), hint: '{"version":5}' }, 5, "without a listing"],
  ["a hint a few versions old", { versions: upTo(20), hint: '{"version":3}' }, 20, "without a listing"],
  ["a hint many versions old", { versions: upTo(90), hint: '{"version":3}' }, 90, "by a listing"],
  ["a hint that is too high", { versions: upTo(5), hint: '{"version":99}' }, 5, "by a listing"],
  ["a hint of a version that was cleaned up", { versions: upTo(9, 6), hint: '{"version":2}' }, 9, "by a listing"],
  ["a hint that is no JSON", { versions: upTo(5), hint: "\0\0garbage" }, 5, "by a listing"],
  ["an empty hint", { versions: upTo(5), hint: "" }, 5, "by a listing"],
  ["a hint of another shape", { versions: upTo(5), hint: '{"version":"5"}' }, 5, "by a listing"],
  ["a negative hint", { versions: upTo(5), hint: '{"version":-5}' }, 5, "by a listing"],
  ["a hint with a fraction", { versions: upTo(5), hint: '{"version":2.5}' }, 5, "by a listing"],
  ["a hint that no number holds", { versions: upTo(5), hint: `{"version":1${"0".repeat(400)}}` }, 5, "by a listing"],
  ["a hint of a megabyte", { versions: upTo(5), hint: " ".repeat(1 << 20) }, 5, "by a listing"],
  [
    "a stale hint at the origin of a branch, behind which another program's cleanup left a gap",
    { versions: [2, 8, 9], hint: '{"version":2}', branch: true },
    9,
    "by a listing",
  ],
  [
    "a stale hint at a tagged version behind a gap",
    { versions: [2, 8, 9], hint: '{"version":2}', tag: true },
    9,
    "by a listing",
  ],
  [
    "a stale hint at a version that a vacuum kept",
    { versions: [2, 8, 9], hint: '{"version":2}', retired: 7 },
    9,
    "by a listing",
  ],
  ["ascending names", { versions: upTo(12), scheme: "v1", hint: '{"version":12}' }, 12, "without a listing"],
  ["ascending names and no hint", { versions: upTo(12), scheme: "v1" }, 12, "by a listing"],
  ["a gap", { versions: [1, 2, 5] }, 5, "by a listing"],
  ["no version at all, and a hint", { versions: [], hint: '{"version":4}' }, undefined, "by a listing"],
  ["nothing", { versions: [] }, undefined, "by a listing"],
];

test.each(FINDS)("an unknown table with %s is found", async (_what, names, version, how) => {
  const store = await storeWith(names);
  expect((await findHead(store, memo()))?.version).toBe(version);
  expect(store.count("list", "_versions") === 0 ? "without a listing" : "by a listing").toBe(how);
});

test("names that are no versions count for nothing", async () => {
  const store = await storeWith({ versions: [1, 2] });
  for (const name of [
    ".tmp-3.manifest",
    "3.manifest#1",
    "d7.manifest",
    "03.manifest",
    "x.manifest",
    "99.manifest.tmp",
  ]) {
    await store.write(`_versions/${name}`, text("x"), QUICK);
  }
  expect((await findHead(store, memo()))?.version).toBe(2);
});

const KNOWN: readonly [string, (store: WrappedStore) => Promise<unknown>, number | undefined][] = [
  ["nothing happened", async () => {}, 5],
  ["one version came", (store) => store.write(manifestPath(6, "v2"), text("6"), QUICK), 6],
  [
    "many came",
    (store) => Promise.all(upTo(80, 6).map((v) => store.write(manifestPath(v, "v2"), text("x"), QUICK))),
    80,
  ],
  ["versions came behind a gap, and the hint says so", (store) => gap(store), 9],
  ["a vacuum kept this version, removed the next ones, and the hint lags", (store) => vacuumed(store, 5, 7), 8],
  ["a vacuum kept the version after this one, and the hint lags", (store) => vacuumed(store, 6, 7), 8],
  ["the boundary became unreadable", (store) => store.write(RETIRED_PATH, text("{"), QUICK), 5],
  ["the table was dropped", (store) => store.deleteTree("_versions"), undefined],
  ["the table was dropped and made anew with one version", (store) => remake(store, 1), 1],
  ["the table was made anew with as many versions", (store) => remake(store, 5), 5],
  ["the table was made anew with more versions", (store) => remake(store, 7), 7],
];

async function gap(store: WrappedStore): Promise<void> {
  for (const version of [8, 9]) await store.write(manifestPath(version, "v2"), text("x"), QUICK);
  await store.replace(HINT_PATH, text('{"version":9}'), QUICK);
}

/** Versions up to `kept`, and 8, are there; those between were removed, as the boundary says. */
async function vacuumed(store: WrappedStore, kept: number, upTo: number): Promise<void> {
  for (const version of kept === 5 ? [8] : [6, 8]) await store.write(manifestPath(version, "v2"), text("x"), QUICK);
  await store.write(RETIRED_PATH, text(JSON.stringify({ upTo, kept: [kept] })), QUICK);
}

async function remake(store: WrappedStore, last: number): Promise<void> {
  await store.deleteTree("_versions");
  for (const version of upTo(last)) await store.write(manifestPath(version, "v2"), text("anew"), QUICK);
}

test.each(KNOWN)("a head that is known is looked at again after %s", async (_what, change, version) => {
  const store = await storeWith({ versions: upTo(5), hint: '{"version":5}' });
  const hint = memo();
  const known = await findHead(store, hint);
  if (known === undefined) throw new Error("there is a head");
  await change(store);
  const found = await refreshHead(store, known, hint, newBoundaryMemo());
  expect(found?.version).toBe(version);
  const identity = version === undefined ? undefined : (await store.head(manifestPath(version, "v2")))?.identity;
  expect(found?.identity).toBe(identity);
});

test("a look at a known head costs four look-ups, no listing and no read, also when the hint once lied", async () => {
  const store = await storeWith({ versions: upTo(5), hint: '{"version":5}' });
  const hint = memo();
  const known = await findHead(store, hint);
  if (known === undefined) throw new Error("there is a head");
  store.forget();
  await refreshHead(store, known, hint, newBoundaryMemo());
  expect([store.count("head"), store.calls.length]).toEqual([4, 4]);
  await store.replace(HINT_PATH, text('{"version":50}'), QUICK);
  await refreshHead(store, known, hint, newBoundaryMemo());
  expect(store.count("list")).toBe(1);
  store.forget();
  expect((await refreshHead(store, known, hint, newBoundaryMemo()))?.version).toBe(5);
  expect([store.count("head"), store.calls.length]).toEqual([4, 4]);
});

/** A copy of a table that native LanceDB wrote, with the hint as `hint` makes it. */
function nativeTable(
  name: string,
  hint: (path: string) => void,
): { store: ReturnType<typeof openStore>; path: string } {
  const directory = mkdtempSync(join(tmpdir(), "joust-head-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  cpSync(`fixtures/format/${name}.lance`, join(directory, "t.lance"), { recursive: true });
  hint(join(directory, "t.lance", HINT_PATH));
  return { store: openStore(directory), path: directory };
}

const golden = JSON.parse(readFileSync("fixtures/format/expected.json", "utf8")) as Record<
  string,
  { readonly versions: readonly { readonly version: number; readonly rows: number }[] }
>;

const HINTS: readonly [string, (path: string) => void][] = [
  ["as it was left", () => {}],
  ["missing", (path) => rmSync(path)],
  ["garbage", (path) => writeFileSync(path, "{{{{")],
  ["at version 1, which may be gone", (path) => writeFileSync(path, '{"version":1}')],
  ["at version 4000", (path) => writeFileSync(path, '{"version":4000}')],
];

test.each(
  ["cleaned", "history", "v1_names", "branch", "deletions_bitmap"].flatMap((name) =>
    HINTS.map(([how, hint]) => [name, how, hint] as const),
  ),
)("the head of native's table '%s' is found with a hint that is %s", async (name, _how, hint) => {
  const { store } = nativeTable(name, hint);
  const table = new SharedTable("t", within(store, "t.lance"), systemRuntime);
  const expected = golden[name]?.versions.at(-1);
  const head = await table.refresh();
  expect([head.version, head.manifest.fragments.rowCount()]).toEqual([expected?.version, expected?.rows]);
  expect((await table.versions()).map(({ version }) => version)).toEqual(golden[name]?.versions.map((v) => v.version));
});

test("a table with ascending names is read, and written under ascending names", async () => {
  const { path } = nativeTable("v1_names", () => {});
  const db = await connect(path, { durability: "relaxed" });
  const table = await db.openTable("t");
  expect([await table.version(), await table.usesV2ManifestPaths()]).toEqual([2, false]);
  const before = await table.countRows();
  await table.delete("true");
  expect([await table.version(), await table.countRows()]).toEqual([3, 0]);
  const names = readdirSync(join(path, "t.lance", "_versions")).filter((name) => name.endsWith(".manifest"));
  expect(names.sort()).toEqual(["1.manifest", "2.manifest", "3.manifest"]);
  await table.checkout(2);
  expect(await table.countRows()).toBe(before);
  await db.close();
});

test("requests are few: a fresh handle, a look, an append, a delete", async () => {
  const store = new WrappedStore(memoryStore(""));
  const connection = () => {
    const settings = settingsOf({ dataFormat: "arrow", durability: "relaxed", maintenance: { auto: false } });
    return new Connection(new Database(store, "memory://"), settings);
  };
  const first = connection();
  const table = await first.createTable("t", [{ id: 1 }]);
  for (let id = 2; id <= 12; id++) await table.add([{ id }]);
  await first.close();
  await store.replace(`t.lance/${HINT_PATH}`, text('{"version":12}'), QUICK);
  const inTable = (call: Parameters<WrappedStore["count"]>[0], part = "t.lance/") => store.count(call, part);

  const fresh = await connection().openTable("t");
  store.forget();
  expect(await fresh.version()).toBe(12);
  expect([inTable("head"), inTable("get"), inTable("list")]).toEqual([4, 0, 0]);

  await fresh.add([{ id: 100 }]);
  store.forget();
  await fresh.add([{ id: 101 }]);
  // The look before (4 names), boundary, and the look after (own name, hint): nothing is listed, and nothing is read
  // but a hint that another writer changed.
  expect([inTable("get", ".manifest"), inTable("list"), inTable("open")]).toEqual([0, 0, 0]);
  expect(inTable("get")).toBeLessThanOrEqual(1);
  expect([inTable("write", "data/"), inTable("stage"), inTable("publish")]).toEqual([1, 1, 1]);
  expect(inTable("head")).toBeLessThanOrEqual(8);

  store.forget();
  await fresh.delete("id = 101");
  expect([inTable("write", "_deletions/"), inTable("stage"), inTable("publish"), inTable("list")]).toEqual([
    0, 1, 1, 0,
  ]);
  store.forget();
  const opened = await connection().openTable("t");
  expect(inTable("list", "_versions")).toBe(0);
  expect(inTable("get", "_versions")).toBeLessThanOrEqual(2);
  expect(await opened.countRows()).toBe(13);
});

/**
 * Where the head is: found from the hint or by listing, then followed by probing the next name.
 *
 * Version n in hand is the head only if n + 1 is absent, the file of n is still the same one (a table can be dropped
 * and made again), no vacuum has retired it, and the hint does not say more. Otherwise the directory is listed; so it is
 * where tags or branches are and nobody looked for a while: another program's cleanup may have left n and removed n + 1.
 */
import { decodeHint } from "../format/hint.js";
import { HINT_PATH, manifestPath, parseManifestName, REFS_BRANCHES, REFS_TAGS, VERSIONS } from "../format/layout.js";
import type { ObjectStore } from "../store/contract.js";
import { isTableError } from "../support/errors.js";
import { type BoundaryMemo, RETIRED_PATH, retiredUpTo } from "./boundary.js";
import type { NamingScheme } from "./log.js";

/** The name of the newest version, and the identity of its file. */
export interface Head {
  readonly version: number;
  readonly scheme: NamingScheme;
  readonly identity: string;
}

/** What was last read of the hint. The hint is advice: garbage counts as absent. */
export interface HintMemo {
  identity: string | undefined;
  version: number;
}

/** Names probed one by one before a listing is cheaper. */
const PROBES_MAX = 32;

/** The head of a table that nothing is known about; undefined when there is no version at all. */
export async function findHead(store: ObjectStore, memo: HintMemo): Promise<Head | undefined> {
  const hinted = await readHint(store, memo);
  if (hinted > 0 && (await hintIsEnough(store))) {
    for (const scheme of ["v2", "v1"] as const) {
      const info = await store.head(manifestPath(hinted, scheme));
      if (info === undefined) continue;
      const head = await follow(store, { version: hinted, scheme, identity: info.identity });
      if (head !== undefined) return head;
    }
  }
  return listHead(store);
}

/** Versions can only be missing above a live one when a vacuum or a cleanup kept some on purpose. */
async function hintIsEnough(store: ObjectStore): Promise<boolean> {
  return (await store.head(RETIRED_PATH)) === undefined && !(await keepsVersions(store));
}

/** True when a tag or a branch is there, because of which a cleanup may leave a version and remove the ones after it. */
export async function keepsVersions(store: ObjectStore): Promise<boolean> {
  for (const names of [REFS_TAGS, REFS_BRANCHES]) if ((await store.list(names)).length > 0) return true;
  return false;
}

/** Walks up from a version that exists to the last one in a row; undefined when there are too many to walk. */
async function follow(store: ObjectStore, from: Head): Promise<Head | undefined> {
  let head = from;
  for (let probes = 0; probes < PROBES_MAX; probes++) {
    const next = await store.head(manifestPath(head.version + 1, head.scheme));
    if (next === undefined) return head;
    head = { version: head.version + 1, scheme: head.scheme, identity: next.identity };
  }
  return undefined;
}

/** The head by listing every version; undefined when there is none. */
export async function listHead(store: ObjectStore): Promise<Head | undefined> {
  for (let attempt = 0; attempt < PROBES_MAX; attempt++) {
    const newest = (await listVersionNames(store))[0];
    if (newest === undefined) return undefined;
    const info = await store.head(manifestPath(newest.version, newest.scheme));
    if (info !== undefined) return { ...newest, identity: info.identity };
  }
  return undefined;
}

/** All versions that have a name, newest first. */
export async function listVersionNames(
  store: ObjectStore,
): Promise<readonly { readonly version: number; readonly scheme: NamingScheme }[]> {
  const found: { version: number; scheme: NamingScheme }[] = [];
  for (const entry of await store.list(VERSIONS)) {
    const parsed = entry.kind === "object" ? parseManifestName(entry.name) : undefined;
    if (parsed !== undefined) found.push(parsed);
  }
  return found.sort((a, b) => b.version - a.version);
}

/**
 * The head when `known` was the head before. Costs four look-ups of names while nothing happened.
 * @param seen how long ago it was: "lately" when since then nobody can have committed, died and been cleaned up after
 */
export async function refreshHead(
  store: ObjectStore,
  known: Head,
  memo: HintMemo,
  boundary: BoundaryMemo,
  seen: "lately" | "long ago" = "lately",
): Promise<Head | undefined> {
  const [same, next, hint, retired] = await Promise.all([
    store.head(manifestPath(known.version, known.scheme)),
    store.head(manifestPath(known.version + 1, known.scheme)),
    readHint(store, memo),
    retiredOrAll(store, boundary),
  ]);
  if (same === undefined || same.identity !== known.identity) return listHead(store);
  const after = { version: known.version + 1, scheme: known.scheme };
  const head = next === undefined ? known : await follow(store, { ...after, identity: next.identity });
  // A vacuum never retires the head: a version at or below the boundary was kept on purpose, and others are above it.
  if (head !== undefined && head.version <= retired) return listHead(store);
  if (seen === "long ago" && (await keepsVersions(store))) return listHead(store);
  return head === undefined || hint > head.version ? listBeyondHint(store, memo) : head;
}

/** The retired boundary; one that cannot be read may be anywhere. */
async function retiredOrAll(store: ObjectStore, memo: BoundaryMemo): Promise<number> {
  try {
    return await retiredUpTo(store, memo);
  } catch (error) {
    if (isTableError(error, "CORRUPT")) return Number.MAX_SAFE_INTEGER;
    throw error;
  }
}

/** Lists; a hint that names more than a later listing shows is wrong and is not believed again until it changes. */
async function listBeyondHint(store: ObjectStore, memo: HintMemo): Promise<Head | undefined> {
  const head = await listHead(store);
  if (head === undefined || head.version < memo.version) memo.version = head?.version ?? 0;
  return head;
}

/** The version that the hint names; 0 when there is none. Reads the file only after it changed. */
export async function readHint(store: ObjectStore, memo: HintMemo): Promise<number> {
  const info = await store.head(HINT_PATH);
  if (info === undefined) return 0;
  if (info.identity === memo.identity) return memo.version;
  try {
    memo.version = decodeHint(await store.get(HINT_PATH)) ?? 0;
    memo.identity = info.identity;
  } catch (error) {
    if (!isTableError(error, "NOT_FOUND")) throw error;
    return 0;
  }
  return memo.version;
}

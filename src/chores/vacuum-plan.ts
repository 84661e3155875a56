/**
 * What a vacuum removes and what it keeps, each with the reason, decided purely from what was looked up.
 *
 * Versions go unless something needs them; files go unless a version needs them or a write under way may. Age alone
 * removes nothing of ours; files of unknown makers follow the rule of native cleanups.
 */
import { type Boundary, isRetired } from "../commit/boundary.js";
import { type Holder, readerOf } from "./holders.js";
import type { Candidate } from "./orphans.js";

/** Files that no version ever named and whose maker is not known stay this long: they may belong to a native writer. */
export const UNVERIFIED_DAYS = 7;
const DAY_MS = 86_400_000;

export interface Verdict {
  readonly keep: boolean;
  /** A clause that follows "because". */
  readonly why: string;
}

/** What keeps versions. */
export interface VersionFacts {
  readonly head: number;
  /** Versions made before this moment may go, milliseconds since 1970. */
  readonly olderThanMs: number;
  readonly boundary: Boundary;
  /** Names of the tags and branches of a version. */
  readonly tags: ReadonlyMap<number, readonly string[]>;
  readonly branches: ReadonlyMap<number, readonly string[]>;
  readonly holders: readonly Holder[];
}

export function judgeVersion(version: number, madeMs: number, facts: VersionFacts): Verdict {
  if (version >= facts.head) return keep("it is the newest version");
  const reader = readerOf(facts.holders, version);
  if (reader !== undefined) return keep(`${nameOf(reader)} may be reading it`);
  if (isRetired(facts.boundary, version)) return remove("an earlier vacuum retired it");
  const tags = facts.tags.get(version);
  if (tags !== undefined) return keep(`tag '${tags.join("', '")}' names it`);
  const branches = facts.branches.get(version);
  if (branches !== undefined) return keep(`branch '${branches.join("', '")}' begins there`);
  if (madeMs >= facts.olderThanMs)
    return keep(`it was made at ${toText(madeMs)}, not before ${toText(facts.olderThanMs)}`);
  return remove(`it was made at ${toText(madeMs)}, before ${toText(facts.olderThanMs)}, and nothing needs it`);
}

/** The boundary that has to be announced before `removed` go. Nothing that was retired before comes back. */
export function nextBoundary(
  old: Boundary,
  removed: readonly number[],
  kept: readonly number[],
  expelled: readonly string[],
): Boundary {
  const upTo = removed.reduce((max, version) => Math.max(max, version), old.upTo);
  const stay = new Set([...old.kept, ...kept.filter((version) => version > old.upTo && version <= upTo)]);
  for (const version of removed) stay.delete(version);
  return { upTo, kept: stay, expelled: new Set([...old.expelled, ...expelled]) };
}

/** What keeps files. */
export interface FileFacts {
  /** Paths that versions need, each with one of these versions. */
  readonly needed: ReadonlyMap<string, number>;
  /** Paths that only versions need which go. */
  readonly passed: ReadonlyMap<string, number>;
  readonly holders: ReadonlyMap<string, Holder>;
  /** True when native writers cannot write the table, so that every file in it is ours. */
  readonly onlyOurs: boolean;
  readonly deleteUnverified: boolean;
}

/** @param ageMs by the clock of the place that keeps the file; it matters only when nothing else decides */
export function judgeFile(candidate: Candidate, facts: FileFacts, ageMs: number): Verdict {
  const version = facts.needed.get(candidate.path);
  if (version !== undefined) return keep(`version ${version} needs it`);
  if (candidate.maker === "rest") return remove("an earlier removal was interrupted");
  const { mark } = candidate;
  const holder = mark === undefined ? undefined : facts.holders.get(mark.holder);
  if (mark !== undefined && holder !== undefined) {
    if (holder.state !== "live") return remove(`no version needs it, and ${nameOf(holder)} is ${holder.state}`);
    const settled = holder.content?.settled ?? 0;
    if (mark.sequence >= settled) return keep(`${nameOf(holder)} may be writing it`);
    return remove(`no version needs it, and ${nameOf(holder)} is done with it`);
  }
  if (candidate.maker === "marked" || (candidate.maker === "perhaps" && facts.onlyOurs)) {
    return remove("no version needs it, and whoever made it gave back the lease");
  }
  const passed = facts.passed.get(candidate.path);
  if (passed !== undefined) return remove(`only versions that go need it, such as version ${passed}`);
  if (facts.deleteUnverified) return remove("no version needs it, and unverified files were to be deleted");
  if (ageMs > UNVERIFIED_DAYS * DAY_MS) {
    return remove(`no version needs it, and it is older than ${UNVERIFIED_DAYS} days`);
  }
  return keep(`another kind of writer may be writing it: it is younger than ${UNVERIFIED_DAYS} days`);
}

function keep(why: string): Verdict {
  return { keep: true, why };
}

function remove(why: string): Verdict {
  return { keep: false, why };
}

function nameOf({ holder, content }: Holder): string {
  const process = content?.process;
  return process === undefined ? `process ${holder}` : `process ${process.pid} of ${process.host} (${holder})`;
}

function toText(ms: number): string {
  return Number.isFinite(ms) && Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString() : String(ms);
}

/**
 * Which processes hold what of a table, as the leases in its `_coord` directory tell: rows of the system tables
 * `process_coordination` and `process_readers`. Looks at the disk, changes nothing, and waits for nobody: a lease that
 * may have ended but is not proved to have counts as live, as it does for everybody else.
 */
import { Bool, Field, Float64, Schema, Utf8 } from "apache-arrow";
import { readHolders } from "../chores/holders.js";
import { readMaintainer } from "../chores/maintain-lease.js";
import { readBoundary } from "../commit/boundary.js";
import type { LeaseContent } from "../commit/lease-file.js";
import type { Row } from "../data/columns/rows.js";
import type { OpenTable } from "./open-table.js";

const text = (name: string) => new Field(name, new Utf8(), true);
const number = (name: string) => new Field(name, new Float64(), true);
const truth = (name: string) => new Field(name, new Bool(), true);

/** One row for each lease, for the owner of maintenance, and for the boundary that vacuums left. */
export const COORDINATION_SCHEMA = new Schema([
  ...["table", "branch", "kind", "holder", "state"].map(text),
  truth("own"),
  text("host"),
  ...["pid", "threadId"].map(number),
  ...["since", "expires"].map(text),
  ...["ttlMs", "versions", "from", "retiredUpTo"].map(number),
  text("error"),
]);

/** One row for each version that a process needs; with `andNewer`, that one and every newer one. */
export const READERS_SCHEMA = new Schema([
  ...["table", "branch", "holder", "state"].map(text),
  truth("own"),
  text("host"),
  ...["pid", "threadId", "version"].map(number),
  truth("andNewer"),
  ...["since", "error"].map(text),
]);

export async function coordinationRows({ shared }: OpenTable): Promise<readonly Row[]> {
  const rows: Row[] = (await readHolders(shared, false)).map(({ holder, state, content }) => ({
    kind: "lease",
    holder,
    state,
    own: holder === shared.lease.holder,
    ...processOf(content),
    since: content?.since || null,
    ttlMs: content?.ttlMs ?? null,
    versions: content?.versions.length ?? null,
    from: content?.from ?? null,
  }));
  const maintainer = await readMaintainer(shared.store);
  if (maintainer !== undefined) rows.push({ kind: "maintenance", ...maintainer });
  const { upTo, kept } = await readBoundary(shared.store, shared.boundary);
  if (upTo > 0) rows.push({ kind: "retired", retiredUpTo: upTo, versions: kept.size });
  return rows;
}

/** Ended and proved dead holders need nothing and have no rows. */
export async function readerRows({ shared }: OpenTable): Promise<readonly Row[]> {
  const holders = await readHolders(shared, false);
  return holders.flatMap(({ holder, state, content }): Row[] => {
    if (state !== "live") return [];
    const row = {
      holder,
      state,
      own: holder === shared.lease.holder,
      ...processOf(content),
      since: content?.since || null,
    };
    // A lease that cannot be read may stand for anything.
    if (content === undefined) return [{ ...row, version: 0, andNewer: true }];
    const pinned = content.versions.map((version) => ({ ...row, version, andNewer: false }));
    return content.from === undefined ? pinned : [...pinned, { ...row, version: content.from, andNewer: true }];
  });
}

function processOf(content: LeaseContent | undefined): Row {
  const { host, pid, threadId } = content?.process ?? {};
  return { host: host ?? null, pid: pid ?? null, threadId: threadId ?? null };
}

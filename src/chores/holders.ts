/**
 * Who holds a lease on a table, and whether it still counts.
 *
 * Clocks of different machines are never compared: the age of a lease is the distance of two file times that one place
 * gave. A process of this machine counts for as long as it runs, stopped or not; of any other one a vacuum has to see
 * for itself, by its own steady clock, that nobody renews the lease.
 */
import { readBoundary } from "../commit/boundary.js";
import type { Lease } from "../commit/lease.js";
import { type LeaseContent, type LeaseFile, leasePath, listLeases, readLease } from "../commit/lease-file.js";
import type { SharedTable } from "../commit/shared-table.js";

/**
 * - live: what the lease says is needed.
 * - ended: the process gave it back, and may have left files behind.
 * - gone: the process is proved to have ended.
 * - expired: nobody renews the lease; if its holder wakes up it has to find out that it was expelled.
 */
export type HolderState = "live" | "ended" | "gone" | "expired";

export interface Holder {
  readonly holder: string;
  readonly state: HolderState;
  /** undefined: the lease cannot be read, so that its holder may need everything. */
  readonly content: LeaseContent | undefined;
}

/** For leases that cannot be read. */
const TTL_MS = 60_000;

/**
 * Every holder of the table, this process included.
 * @param watch waits, for half of its term of life, whether a lease that looks dead is renewed; without it, such a
 * lease counts as live
 */
export async function readHolders(table: SharedTable, watch: boolean): Promise<readonly Holder[]> {
  if (!table.lease.published) return [ownHolder(table.lease)];
  const leases = await listLeases(table.store);
  const nowMs = (await table.store.head(leasePath(table.lease.holder)))?.modifiedMs ?? table.runtime.now();
  const { expelled } = await readBoundary(table.store, table.boundary);
  const judged = leases.map((lease) => ({ lease, state: judge(lease, table, nowMs, expelled) }));
  const suspects = judged.filter((one) => one.state === "suspect").map((one) => one.lease);
  const dead = watch ? await watchFor(suspects, table) : new Set<string>();
  return judged.map(({ lease, state }) => ({
    holder: lease.holder,
    content: lease.content,
    state: state !== "suspect" ? state : dead.has(lease.holder) ? "expired" : "live",
  }));
}

/** The holder that says that it needs a version; undefined when none does. */
export function readerOf(holders: readonly Holder[], version: number): Holder | undefined {
  return holders.find(({ state, content }) => {
    if (state !== "live") return false;
    if (content === undefined || content.versions.includes(version)) return true;
    return content.from !== undefined && version >= content.from;
  });
}

function judge(
  lease: LeaseFile,
  table: SharedTable,
  nowMs: number,
  expelled: ReadonlySet<string>,
): HolderState | "suspect" {
  if (lease.holder === table.lease.holder) return "live";
  if (expelled.has(lease.holder)) return "expired";
  if (lease.content?.ended) return "ended";
  const process = lease.content?.process;
  const seen = process === undefined ? "unknown" : (table.runtime.processes?.stateOf(process) ?? "unknown");
  if (seen !== "unknown") return seen === "gone" ? "gone" : "live";
  const ageMs = nowMs - lease.info.modifiedMs;
  // A time in the future says that the clock was turned back, and nothing about the lease.
  return ageMs >= 0 && ageMs <= ttlOf(lease) ? "live" : "suspect";
}

/** The holders among `suspects` whose leases nobody renews. */
async function watchFor(suspects: readonly LeaseFile[], table: SharedTable): Promise<ReadonlySet<string>> {
  const dead = new Set<string>();
  if (suspects.length === 0) return dead;
  await table.runtime.sleep(Math.max(...suspects.map(ttlOf)) / 2);
  for (const lease of suspects) {
    const now = await readLease(table.store, lease.holder);
    if (now === undefined || now.info.identity === lease.info.identity) dead.add(lease.holder);
  }
  return dead;
}

function ttlOf(lease: LeaseFile): number {
  return lease.content?.ttlMs ?? TTL_MS;
}

function ownHolder(lease: Lease): Holder {
  const nothing = { versions: [], from: undefined, settled: 0, ended: false };
  const content = { ...(lease.body ?? nothing), process: undefined, ttlMs: TTL_MS, since: "" };
  return { holder: lease.holder, state: "live", content };
}

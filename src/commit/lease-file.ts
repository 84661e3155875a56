/**
 * Leases on disk: one small JSON file for each process and table, `_coord/lease-{holder}.json`, which says what of the
 * table the process needs. The file's own time, given by the place that keeps it, says when it was renewed.
 *
 * A file that cannot be read is still a lease: its holder may be reading everything.
 */

import type { ObjectInfo, ObjectStore } from "../store/contract.js";
import { isTableError } from "../support/errors.js";
import type { ProcessIdentity } from "../support/runtime.js";
import { COORDINATION } from "./boundary.js";

/** What a process needs, and what others may conclude from it. */
export interface LeaseBody {
  /** Versions that are read, ascending. */
  readonly versions: readonly number[];
  /** Every version from this one on may be read or built upon; undefined: none beyond `versions`. */
  readonly from: number | undefined;
  /** Of the files that the holder made, those with a lower sequence belong to no write under way. */
  readonly settled: number;
  /** True: the holder is finished, but may have left files behind. */
  readonly ended: boolean;
}

export interface LeaseContent extends LeaseBody {
  readonly process: ProcessIdentity | undefined;
  /** Unrenewed for longer than this, a lease counts for nothing, unless its process is known to run. */
  readonly ttlMs: number;
  /** When the lease began, by the holder's clock, for people. */
  readonly since: string;
}

export interface LeaseFile {
  readonly holder: string;
  readonly path: string;
  readonly info: ObjectInfo;
  /** undefined: the file cannot be read. */
  readonly content: LeaseContent | undefined;
}

const NAME = /^lease-([0-9a-f]{8})\.json$/;
const LEASE_BYTES_MAX = 1024 * 1024;

export function leasePath(holder: string): string {
  return `${COORDINATION}/lease-${holder}.json`;
}

export function encodeLease(content: LeaseContent): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(JSON.stringify(content));
}

/** Every lease of a table, in the order of the holders. One that vanishes meanwhile is left out. */
export async function listLeases(store: ObjectStore): Promise<readonly LeaseFile[]> {
  const leases: LeaseFile[] = [];
  for (const entry of await store.list(COORDINATION)) {
    const holder = entry.kind === "object" ? NAME.exec(entry.name)?.[1] : undefined;
    const lease = holder === undefined ? undefined : await readLease(store, holder);
    if (lease !== undefined) leases.push(lease);
  }
  return leases;
}

/** One lease; undefined when there is none. */
export async function readLease(store: ObjectStore, holder: string): Promise<LeaseFile | undefined> {
  const path = leasePath(holder);
  const info = await store.head(path);
  if (info === undefined) return undefined;
  try {
    const content = info.sizeBytes > LEASE_BYTES_MAX ? undefined : decodeLease(await store.get(path));
    return { holder, path, info, content };
  } catch (error) {
    if (isTableError(error, "NOT_FOUND")) return undefined;
    throw error;
  }
}

function decodeLease(bytes: Uint8Array): LeaseContent | undefined {
  let value: Partial<Record<keyof LeaseContent, unknown>> | null;
  try {
    value = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return undefined;
  }
  const { versions, from, settled, ended, process, ttlMs, since } = value ?? {};
  if (!Array.isArray(versions) || !versions.every(isCount)) return undefined;
  if ((from !== undefined && !isCount(from)) || !isCount(settled) || !isCount(ttlMs)) return undefined;
  return {
    versions,
    from,
    settled,
    ended: ended === true,
    process: decodeProcess(process),
    ttlMs,
    since: typeof since === "string" ? since : "",
  };
}

function decodeProcess(value: unknown): ProcessIdentity | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { host, pid, bootId, pidNamespace, threadId, startTime } = value as Record<string, unknown>;
  if (!isCount(pid) || !isCount(threadId)) return undefined;
  if (![host, bootId, pidNamespace, startTime].every((text) => typeof text === "string")) return undefined;
  return { host, pid, bootId, pidNamespace, threadId, startTime } as ProcessIdentity;
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

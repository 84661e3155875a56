/**
 * Writes that one process hands to another: each has a number, and the transaction that contains it says so.
 *
 * Whoever is asked to commit such a write, and whoever takes it back because the other one went silent, looks for its
 * number in every version since the hand-over; a race that is lost to a version with the number is no race any more.
 * So a write is committed once, whoever sleeps, dies or wakes up meanwhile: the compare-and-swap decides.
 */
import type { Transaction } from "../format/transaction.js";
import { TableError } from "../support/errors.js";
import { readMadeBy, readTransaction } from "./log.js";
import type { SharedTable } from "./shared-table.js";
import type { Snapshot } from "./snapshot.js";

/** A write that left the process of its caller. */
export interface Request {
  /** The table of the process that asks, as it opened it. */
  readonly origin: string;
  /** Counted up by the origin. */
  readonly number: number;
  /** No version up to this one contains it. */
  readonly after: number;
}

/** What a request did: rows added, updated and deleted. */
export type Effect = readonly [added: number, updated: number, deleted: number];

/** A request that is committed. */
export interface Handed {
  readonly version: number;
  readonly effect: Effect;
}

export const HANDED_PROPERTY = "joust.handed";
/** Requests that are remembered; the versions are read again for older ones. */
const REMEMBERED_MAX = 4096;

type Entry = readonly [origin: string, number: number, ...effect: Effect];

/** What a transaction says of the requests in it. */
export function encodeHanded(requests: readonly { readonly request: Request; readonly effect: Effect }[]): string {
  return JSON.stringify(requests.map(({ request, effect }): Entry => [request.origin, request.number, ...effect]));
}

/** The requests that a transaction contains, by `keyOf`. What cannot be read is somebody else's. */
function handedIn(transaction: Transaction | undefined): ReadonlyMap<string, Effect> {
  const text = transaction?.properties.get(HANDED_PROPERTY);
  const found = new Map<string, Effect>();
  if (text === undefined) return found;
  let entries: unknown;
  try {
    entries = JSON.parse(text);
  } catch {
    return found;
  }
  if (!Array.isArray(entries)) return found;
  for (const entry of entries) {
    if (!isEntry(entry)) continue;
    const [origin, number, ...effect] = entry;
    found.set(`${origin} ${number}`, effect);
  }
  return found;
}

function isEntry(entry: unknown): entry is Entry {
  if (!Array.isArray(entry) || entry.length !== 5) return false;
  const [origin, ...numbers] = entry as unknown[];
  return typeof origin === "string" && numbers.every(Number.isSafeInteger);
}

function keyOf({ origin, number }: Request): string {
  return `${origin} ${number}`;
}

/** True when a transaction contains one of the requests. */
export function containsAny(transaction: Transaction, requests: readonly Request[]): boolean {
  if (requests.length === 0 || !transaction.properties.has(HANDED_PROPERTY)) return false;
  const found = handedIn(transaction);
  return requests.some((request) => found.has(keyOf(request)));
}

/** What is known of the requests in a run of versions, which grows as it is asked for. */
export class HandedLog {
  readonly #table: SharedTable;
  /** Versions in (from, upTo] are known. */
  #from = 0;
  #upTo = 0;
  #found = new Map<string, Handed>();
  #origin: string | undefined;
  #numbers = 0;

  constructor(table: SharedTable) {
    this.#table = table;
  }

  /** A request of this process that no version up to `after` contains. */
  next(after: number): Request {
    this.#origin ??= this.#table.runtime.uuid();
    return { origin: this.#origin, number: ++this.#numbers, after };
  }

  /** Notes a version that this process made itself: no request that is still asked for is in it. */
  committed(version: number): void {
    if (version === this.#upTo + 1) this.#upTo = version;
  }

  /**
   * The requests that versions up to `base` contain.
   * @throws UNKNOWN_OUTCOME when a version that may contain one of them is gone
   */
  async find(requests: readonly Request[], base: Snapshot): Promise<ReadonlyMap<Request, Handed>> {
    const after = Math.min(...requests.map((request) => request.after));
    if (after < this.#from || this.#upTo > base.version || this.#upTo < after || this.#found.size > REMEMBERED_MAX) {
      this.#from = after;
      this.#upTo = after;
      this.#found = new Map();
    }
    while (this.#upTo < base.version) {
      const version = this.#upTo + 1;
      for (const [key, effect] of handedIn(await this.#transactionOf(version, base))) {
        this.#found.set(key, { version, effect });
      }
      this.#upTo = version;
    }
    const committed = new Map<Request, Handed>();
    for (const request of requests) {
      const found = this.#found.get(keyOf(request));
      if (found !== undefined) committed.set(request, found);
    }
    return committed;
  }

  async #transactionOf(version: number, base: Snapshot): Promise<Transaction | undefined> {
    if (version === base.version) return this.#table.transaction(base);
    const { store, name } = this.#table;
    const madeBy = await readMadeBy(store, version, base.head.scheme);
    if (madeBy !== undefined) return readTransaction(store, madeBy);
    throw new TableError(
      "UNKNOWN_OUTCOME",
      `It is not known whether a write to table '${name}' was committed: the process that had been asked to commit it went silent, and version ${version}, which may contain it, was removed by a cleanup. Look for its rows before repeating the write.`,
      { details: { version } },
    );
  }
}

/**
 * The right of one process at a time to maintain a table: the newest of the files `_coord/maintenance-{number}.json`.
 *
 * It saves work, not correctness: two maintainers at once disturb nobody but each other. A lease is over when its file
 * is gone, or has not changed for its whole term by the clock of whoever looks, so that clocks need not agree.
 */
import type { ObjectStore } from "../store/contract.js";
import { isTableError } from "../support/errors.js";
import type { Runtime } from "../support/runtime.js";

const DIRECTORY = "_coord";
const NAME = /^maintenance-(\d{10})\.json$/;

/** A lease of somebody else, as it was when it was first seen like that. */
interface Sighting {
  readonly number: number;
  readonly identity: string;
  readonly sinceMs: number;
}

export class MaintenanceLease {
  readonly #store: ObjectStore;
  readonly #runtime: Runtime;
  readonly #termMs: number;
  readonly #holder: string;
  #number: number | undefined;
  #renewedMs = 0;
  #seen: Sighting | undefined;

  /** @param termMs how long a lease that is not renewed keeps others away */
  constructor(store: ObjectStore, runtime: Runtime, termMs: number) {
    this.#store = store;
    this.#runtime = runtime;
    this.#termMs = termMs;
    this.#holder = runtime.uuid();
  }

  /** Takes the lease, or renews it when half of its term is over; false when somebody else has it. */
  async hold(): Promise<boolean> {
    const nowMs = this.#runtime.monotonicMs();
    if (this.#number !== undefined && nowMs - this.#renewedMs < this.#termMs / 2) return true;
    const newest = (await this.#numbers()).at(-1);
    if (this.#number !== undefined && newest === this.#number && (await this.#isMine(newest))) {
      await this.#store.replace(pathOf(newest), this.#content(), { durable: false });
      this.#renewedMs = nowMs;
      return true;
    }
    this.#number = undefined;
    if (newest !== undefined && !(await this.#isOver(newest, nowMs))) return false;
    return this.#take((newest ?? 0) + 1, nowMs);
  }

  /** Gives the lease back, if it is held. */
  async release(): Promise<void> {
    const number = this.#number;
    this.#number = undefined;
    if (number !== undefined && (await this.#isMine(number))) await this.#store.delete(pathOf(number));
  }

  async #take(number: number, nowMs: number): Promise<boolean> {
    const created = await this.#store.create(pathOf(number), this.#content(), { durable: false });
    if (created === "exists") return false;
    this.#number = number;
    this.#renewedMs = nowMs;
    const older = (await this.#numbers()).filter((one) => one < number);
    await Promise.all(older.map((one) => this.#store.delete(pathOf(one))));
    return true;
  }

  async #isOver(number: number, nowMs: number): Promise<boolean> {
    const info = await this.#store.head(pathOf(number));
    if (info === undefined) return true;
    const seen = this.#seen;
    if (seen?.number === number && seen.identity === info.identity) return nowMs - seen.sinceMs > this.#termMs;
    this.#seen = { number, identity: info.identity, sinceMs: nowMs };
    return false;
  }

  async #isMine(number: number): Promise<boolean> {
    try {
      const text = new TextDecoder().decode(await this.#store.get(pathOf(number)));
      return text.includes(this.#holder);
    } catch (error) {
      if (isTableError(error, "NOT_FOUND")) return false;
      throw error;
    }
  }

  /** For people: who, and until when unless renewed. */
  #content(): readonly Uint8Array[] {
    const expires = new Date(this.#runtime.now() + this.#termMs).toISOString();
    return [new TextEncoder().encode(`${JSON.stringify({ holder: this.#holder, expires })}\n`)];
  }

  #numbers(): Promise<number[]> {
    return numbersIn(this.#store);
  }
}

/** Who maintains the table, and until when unless the lease is renewed; undefined when nobody does. */
export async function readMaintainer(
  store: ObjectStore,
): Promise<{ readonly holder: string | null; readonly expires: string | null } | undefined> {
  const newest = (await numbersIn(store)).at(-1);
  if (newest === undefined) return undefined;
  try {
    const { holder, expires } = JSON.parse(new TextDecoder().decode(await store.get(pathOf(newest))));
    return { holder: String(holder), expires: String(expires) };
  } catch (error) {
    if (isTableError(error, "NOT_FOUND")) return undefined;
    if (error instanceof SyntaxError) return { holder: null, expires: null };
    throw error;
  }
}

async function numbersIn(store: ObjectStore): Promise<number[]> {
  const entries = await store.list(DIRECTORY);
  return entries.flatMap(({ name }) => NAME.exec(name)?.[1] ?? []).map(Number);
}

function pathOf(number: number): string {
  return `${DIRECTORY}/maintenance-${String(number).padStart(10, "0")}.json`;
}

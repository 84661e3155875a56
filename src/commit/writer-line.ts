/**
 * The line in which the writers of one table wait for their turn to publish, across the processes of one machine: one
 * ticket for each, `_coord/line/{number}`, the lowest number first. A ticket is a name for the empty file that each
 * process keeps in `_coord/line/writers` while it meets others.
 *
 * It is advice: what keeps versions apart is the compare-and-swap alone. A ticket that is lost, left behind by a dead
 * process or ignored costs time and never data. Whoever waits looks only at the ticket before its own, so that each
 * turn wakes one writer.
 */
import type { ObjectStore } from "../store/contract.js";
import { joinPath } from "../store/paths.js";
import { TableError } from "../support/errors.js";
import type { Runtime } from "../support/runtime.js";
import { COORDINATION } from "./boundary.js";

/** Native readers and cleanups of the format ignore this directory. */
export const LINE = `${COORDINATION}/line`;
export const WRITERS = `${LINE}/writers`;

const DIGITS = 15;
const NAME = /^[0-9]{15}$/;
/** Numbers that others take at the same moment, in a row. */
const TAKEN_MAX = 64;
/** Looks at the ticket before one's own while a ticket may stand still, in case that hints are missed. */
const LOOKS_PER_PATIENCE = 4;

const CHANGED = new Error("The ticket changed.");

export interface LineWait {
  /** A ticket that stays the first for longer than this is removed: its holder is dead or asleep. */
  readonly patienceMs: number;
  /** After this nobody waits any longer. */
  readonly timeoutMs: number;
}

export class WriterLine {
  readonly #store: ObjectStore;
  readonly #runtime: Runtime;
  #last = 0;
  /** What the tickets of this process name; undefined until one is needed. */
  #own: string | undefined;

  constructor(store: ObjectStore, runtime: Runtime) {
    this.#store = store;
    this.#runtime = runtime;
  }

  /** Waits for its turn; the answer ends the turn. undefined where no ticket can be made: then nobody waits. */
  async enter(wait: LineWait): Promise<(() => Promise<void>) | undefined> {
    const before: string[] = [];
    let mine: string;
    try {
      for (const { name } of await this.#store.list(LINE)) if (NAME.test(name)) before.push(joinPath(LINE, name));
      mine = await this.#take(before);
    } catch {
      await this.rest();
      return undefined;
    }
    let left: Promise<void> | undefined;
    const leave = () => {
      left ??= this.#remove(mine);
      return left;
    };
    try {
      await this.#waitFor(before, wait);
    } catch {
      await leave();
      return undefined;
    }
    return leave;
  }

  /** Gives back what a process keeps while it meets others. */
  async rest(): Promise<void> {
    const own = this.#own;
    this.#own = undefined;
    if (own !== undefined) await this.#remove(own);
  }

  /** Makes the next ticket; those that others make meanwhile come before it. */
  async #take(before: string[]): Promise<string> {
    const newest = before.at(-1);
    const seen = newest === undefined ? 0 : Number(newest.slice(-DIGITS));
    // The clock orders nothing here: it keeps a sleeper that wakes up late from removing a ticket of its number.
    const first = Math.max(seen + 1, this.#last + 1, this.#runtime.now());
    for (let number = first; ; number++) {
      const path = joinPath(LINE, String(number).padStart(DIGITS, "0"));
      if (await this.#name(path)) {
        this.#last = number;
        return path;
      }
      if (number - first === TAKEN_MAX) throw new TableError("BUSY", `Too many writers wait in ${LINE}.`);
      before.push(path);
    }
  }

  /** False when somebody else has the ticket. */
  async #name(ticket: string): Promise<boolean> {
    if (this.#own === undefined) {
      const own = joinPath(WRITERS, this.#runtime.uuid());
      await this.#store.write(own, [], { durable: false });
      this.#own = own;
    }
    return this.#store.alias!(this.#own, ticket);
  }

  async #waitFor(before: string[], { patienceMs, timeoutMs }: LineWait): Promise<void> {
    const startedMs = this.#runtime.monotonicMs();
    let movedMs = startedMs;
    for (let next = before.at(-1); next !== undefined; next = before.at(-1)) {
      const isGone = await this.#goes(next, patienceMs / LOOKS_PER_PATIENCE);
      const nowMs = this.#runtime.monotonicMs();
      if (isGone) {
        before.pop();
        movedMs = nowMs;
      } else if (nowMs - startedMs > timeoutMs) {
        return;
      } else if (nowMs - movedMs >= patienceMs) {
        await this.#passOver(before);
        movedMs = nowMs;
      }
    }
  }

  /** True as soon as the ticket is gone; false when it is still there after about `ms`. */
  async #goes(path: string, ms: number): Promise<boolean> {
    if (await this.#isGone(path)) return true;
    const hint = new AbortController();
    const unwatch = this.#store.watch?.(path, () => hint.abort(CHANGED));
    try {
      if (await this.#isGone(path)) return true;
      await this.#runtime.sleep(ms, hint.signal).catch(() => {});
      return await this.#isGone(path);
    } finally {
      unwatch?.();
    }
  }

  /** Forgets the tickets that are gone; if there are none, the first one stands in the way of all and is removed. */
  async #passOver(before: string[]): Promise<void> {
    const waiting = before.length;
    for (let i = waiting - 1; i >= 0; i--) if (await this.#isGone(before[i]!)) before.splice(i, 1);
    const [first] = before;
    if (first !== undefined && before.length === waiting) await this.#remove(first);
  }

  async #isGone(path: string): Promise<boolean> {
    return (await this.#store.head(path)) === undefined;
  }

  async #remove(path: string): Promise<void> {
    await this.#store.delete(path).catch(() => {});
  }
}

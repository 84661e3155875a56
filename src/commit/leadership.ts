/**
 * Who commits for the writers of one table that meet on one machine: this process, one beside it, or each for itself.
 *
 * Nobody leads a writer that is alone. Those that meet find the leader by a name in the table's directory, or become
 * it; one that has not written for a while hands the lead back, one that goes silent is replaced.
 */
import type { ObjectStore } from "../store/contract.js";
import type { Runtime } from "../support/runtime.js";
import { COORDINATION } from "./boundary.js";
import { Follower } from "./follower.js";
import { Leader, type Service } from "./leader.js";

/** Native readers and cleanups of the format ignore this directory. */
export const LEADER_PATH = `${COORDINATION}/leader`;

/** Looks for a leader, or tries to be it, in a row. */
const LOOKS_MAX = 3;
/** After this nobody is looked for again for a while, milliseconds: there is no way to meet here. */
const GIVE_UP_MS = 1000;
/** Names that were taken away before anybody followed, in a row: whoever takes them is on another machine. */
const REPLACED_MAX = 3;
const APART_MS = 30_000;
/** Who has written nothing of its own for so long does not commit for others, milliseconds. */
const IDLE_MS = 1000;

export class Leadership {
  readonly #store: ObjectStore;
  readonly #runtime: Runtime;
  readonly #service: Service;
  #leader: Leader | undefined;
  #follower: Follower | undefined;
  #settling: Promise<void> | undefined;
  #notBeforeMs = 0;
  #isApart = false;
  #replaced = 0;
  #wroteMs = Number.NEGATIVE_INFINITY;

  constructor(store: ObjectStore, runtime: Runtime, service: Service) {
    this.#store = store;
    this.#runtime = runtime;
    this.#service = {
      head: () => service.head(),
      commitMs: () => service.commitMs(),
      commit: (writes) => service.commit(writes).finally(() => this.#restIfIdle()),
      turn: (action) => service.turn(action).finally(() => this.#restIfIdle()),
    };
  }

  /** True where processes can meet at all. */
  static isPossible({ host, join }: ObjectStore): boolean {
    return host !== undefined && join !== undefined;
  }

  /** True when nobody was found to meet the last time that somebody was looked for. */
  get isApart(): boolean {
    return this.#isApart;
  }

  /** True while others commit through this process. */
  get isFollowed(): boolean {
    return (this.#leader?.followers ?? 0) > 0;
  }

  /** The leader to write through; undefined when this process leads, or each is for itself. */
  async follow(): Promise<Follower | undefined> {
    this.#wroteMs = this.#runtime.monotonicMs();
    if (this.#leader !== undefined) return undefined;
    const current = this.#current;
    if (current !== undefined) return current;
    if (this.#wroteMs < this.#notBeforeMs) return undefined;
    this.#settling ??= this.#settle().finally(() => {
      this.#settling = undefined;
    });
    await this.#settling;
    return this.#current;
  }

  /** Waits a moment for writes of others that are about to come. */
  async company(): Promise<void> {
    await this.#leader?.company();
  }

  /** To be called by a process that lost a race: a leader that nobody finds any more leads no longer. */
  async doubt(): Promise<void> {
    const leader = this.#leader;
    if (leader === undefined || (await leader.isReached()) || this.#leader !== leader) return;
    this.#replaced = leader.wasFollowed ? 0 : this.#replaced + 1;
    if (this.#replaced >= REPLACED_MAX) this.#giveUp(APART_MS);
    // Not waited for: what others asked for may stand behind the write that asks here.
    void this.rest();
  }

  /** Leads and follows no longer, until it is asked for again. */
  async rest(): Promise<void> {
    const leader = this.#leader;
    this.#leader = undefined;
    this.#follower?.end();
    this.#follower = undefined;
    await leader?.close();
  }

  get #current(): Follower | undefined {
    return this.#follower?.isOver === true ? undefined : this.#follower;
  }

  #restIfIdle(): void {
    if (this.#runtime.monotonicMs() - this.#wroteMs > IDLE_MS) void this.rest();
  }

  /** For a while each is for itself. */
  #giveUp(ms: number): void {
    this.#isApart = true;
    this.#replaced = 0;
    this.#notBeforeMs = this.#runtime.monotonicMs() + ms;
  }

  async #settle(): Promise<void> {
    this.#isApart = false;
    let takeOver = false;
    for (let look = 0; look < LOOKS_MAX; look++) {
      const peer = takeOver ? undefined : await this.#store.join!(LEADER_PATH);
      if (peer !== undefined) {
        const follower = new Follower(peer, this.#runtime);
        if (await follower.greeted()) {
          this.#follower = follower;
          this.#replaced = 0;
          return;
        }
        takeOver = true;
        continue;
      }
      const leader = new Leader(this.#runtime, this.#service);
      const host = await this.#store.host!(LEADER_PATH, (one) => leader.accept(one), takeOver);
      takeOver = false;
      if (host === undefined) continue;
      leader.begin(host);
      this.#leader = leader;
      return;
    }
    this.#giveUp(GIVE_UP_MS);
  }
}

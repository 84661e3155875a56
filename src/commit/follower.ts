/** A process that writes through another one: what it asked for, and whether the other one still shows signs of life. */
import type { Peer } from "../store/contract.js";
import type { Runtime, Timer } from "../support/runtime.js";
import { BEAT_MS } from "./leader.js";
import { decode, encode, type FromLeader } from "./messages.js";

/** A leader that is silent for longer is dead, asleep or busy with something else. */
const PATIENCE_MS = 4 * BEAT_MS;

interface Question {
  readonly resolve: (answer: unknown) => void;
}

export class Follower {
  readonly #peer: Peer;
  readonly #runtime: Runtime;
  readonly #questions = new Map<number, Question>();
  readonly #greeted: Promise<boolean>;
  #greet: (isFollowing: boolean) => void = () => {};
  #ids = 0;
  #heardMs: number;
  #silence: Timer | undefined;
  #isOver = false;
  #isGreeted = false;
  #after = 0;

  constructor(peer: Peer, runtime: Runtime) {
    this.#peer = peer;
    this.#runtime = runtime;
    this.#heardMs = runtime.monotonicMs();
    this.#greeted = new Promise((resolve) => {
      this.#greet = resolve;
    });
    peer.listen(
      (message) => this.#receive(message),
      () => this.end(),
    );
    peer.keepAlive(true);
    this.#watch();
  }

  /** True once the leader has answered; false when it does not, or speaks another language. */
  greeted(): Promise<boolean> {
    return this.#greeted;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** What is asked for from now on is in no version up to this one. */
  get after(): number {
    return this.#after;
  }

  /** Notes a version at which something that was asked for was committed. */
  answered(version: number): void {
    this.#after = Math.max(this.#after, version);
  }

  /** Sends writes to be committed. undefined: nobody knows what became of them. @throws when they cannot be sent */
  commit(writes: unknown): Promise<unknown> {
    const id = this.#ids++;
    return this.#ask(id, encode({ kind: "commit", id, writes }));
  }

  /** Waits for a turn to commit; the answer ends it. undefined when there is none. */
  async turn(): Promise<(() => void) | undefined> {
    const id = this.#ids++;
    if ((await this.#ask(id, encode({ kind: "turn", id }))) === undefined) return undefined;
    return () => this.#peer.send(encode({ kind: "done", id }));
  }

  /** Follows no longer; what was asked for stays without an answer. */
  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#silence?.cancel();
    this.#peer.close();
    this.#greet(false);
    for (const { resolve } of this.#questions.values()) resolve(undefined);
    this.#questions.clear();
  }

  #ask(id: number, message: Uint8Array): Promise<unknown> {
    if (this.#isOver) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      if (this.#questions.size === 0) {
        this.#heardMs = this.#runtime.monotonicMs();
        this.#peer.keepAlive(true);
        this.#watch();
      }
      this.#questions.set(id, { resolve });
      this.#peer.send(message);
    });
  }

  #receive(bytes: Uint8Array): void {
    const message = decode<FromLeader>(bytes);
    if (message === undefined) {
      this.end();
      return;
    }
    this.#heardMs = this.#runtime.monotonicMs();
    if (message.kind === "hello") {
      this.#after = message.head;
      this.#isGreeted = true;
      this.#greet(true);
      this.#peer.keepAlive(false);
    } else if (message.kind !== "alive") {
      const question = this.#questions.get(message.id);
      this.#questions.delete(message.id);
      if (this.#questions.size === 0) this.#peer.keepAlive(false);
      question?.resolve(message.kind === "answer" ? message.answer : true);
    }
  }

  /** While an answer is waited for, a silent leader is left. */
  #watch(): void {
    if (this.#silence !== undefined) return;
    const leftMs = this.#heardMs + PATIENCE_MS - this.#runtime.monotonicMs();
    this.#silence = this.#runtime.timer(Math.max(1, leftMs), () => void this.#look());
  }

  async #look(): Promise<void> {
    // Who was asleep itself first listens to what has come meanwhile.
    await this.#runtime.yield();
    await this.#runtime.yield();
    this.#silence = undefined;
    if (this.#isOver || (this.#isGreeted && this.#questions.size === 0)) return;
    if (this.#runtime.monotonicMs() - this.#heardMs >= PATIENCE_MS) this.end();
    else this.#watch();
  }
}

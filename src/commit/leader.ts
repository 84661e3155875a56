/**
 * The process that commits for those beside it: it takes their writes into its own queue and answers each, and lets
 * those pass that want to commit by themselves, one after the other.
 *
 * Leading is advice. A leader that sleeps, dies or is replaced costs the others a moment: what keeps versions apart is
 * the compare-and-swap, what keeps writes from being committed twice are their numbers (handed.ts).
 */
import type { Host, Peer } from "../store/contract.js";
import type { Runtime, Timer } from "../support/runtime.js";
import { decode, encode, type FromFollower, type FromLeader } from "./messages.js";

/** What the leader does for others. */
export interface Service {
  /** Commits writes, and comes back with what to answer. */
  commit(writes: unknown): Promise<unknown>;
  /** Calls `action` when it is this caller's turn to commit, before the writes that are asked for later. */
  turn(action: () => Promise<void>): Promise<void>;
  /** The newest version that this process knows. */
  head(): number;
  /** What a commit takes, milliseconds. */
  commitMs(): number;
}

/** A follower that usually asks again within as much as this part of a commit is waited for, for as long. */
const COMPANY_COMMITS = 1;
/** Longest silence between two signs of life, milliseconds. */
export const BEAT_MS = 40;
const WEIGHT_PAUSE = 0.2;
/** A turn that is not ended by then is over. */
const TURN_MS_MAX = 400;

export class Leader {
  readonly #runtime: Runtime;
  readonly #service: Service;
  readonly #peers = new Map<Peer, LedPeer>();
  #host: Host | undefined;
  #beat: Timer | undefined;
  #closed = false;
  #wasFollowed = false;
  #arrived: (() => void) | undefined;

  constructor(runtime: Runtime, service: Service) {
    this.#runtime = runtime;
    this.#service = service;
  }

  /** True once somebody has followed. */
  get wasFollowed(): boolean {
    return this.#wasFollowed;
  }

  /** Processes that follow. */
  get followers(): number {
    return this.#peers.size;
  }

  /** From now on `host` is how others find this leader. */
  begin(host: Host): void {
    this.#host = host;
  }

  /** False when others find another leader, or none. */
  async isReached(): Promise<boolean> {
    return (await this.#host?.isReached()) ?? false;
  }

  /** A process that wants to follow. */
  accept(peer: Peer): void {
    if (this.#closed) {
      peer.close();
      return;
    }
    const led = new LedPeer(peer, this.#runtime, this.#service);
    this.#peers.set(peer, led);
    this.#wasFollowed = true;
    peer.listen(
      (message) => {
        led.receive(message);
        this.#startBeat();
        if (this.#missing() === 0) this.#arrived?.();
      },
      () => {
        led.end();
        this.#peers.delete(peer);
        if (this.#missing() === 0) this.#arrived?.();
      },
    );
    led.greet();
  }

  /** Waits a moment for those who have just been answered and will ask again, so that one commit serves all. */
  async company(): Promise<void> {
    if (this.#missing() === 0) return;
    const limitMs = COMPANY_COMMITS * this.#service.commitMs();
    const arrival = new AbortController();
    this.#arrived = () => arrival.abort();
    // A timer would not keep the process alive.
    await this.#runtime.sleep(limitMs, arrival.signal).catch(() => {});
    this.#arrived = undefined;
  }

  #missing(): number {
    const limitMs = COMPANY_COMMITS * this.#service.commitMs();
    let missing = 0;
    for (const led of this.#peers.values()) if (led.isExpected(limitMs)) missing++;
    return missing;
  }

  /** Takes nothing more, answers what was taken, and lets the others go. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#host?.close();
    await Promise.all([...this.#peers.values()].map((led) => led.idle()));
    this.#beat?.cancel();
    for (const peer of this.#peers.keys()) peer.close();
    this.#peers.clear();
  }

  /** As long as somebody waits, they hear that this process is alive. */
  #startBeat(): void {
    this.#beat ??= this.#runtime.timer(BEAT_MS, () => {
      this.#beat = undefined;
      let waiting = 0;
      for (const led of this.#peers.values()) waiting += led.beat();
      if (waiting > 0) this.#startBeat();
    });
  }
}

/** One process that follows. */
class LedPeer {
  readonly #peer: Peer;
  readonly #runtime: Runtime;
  readonly #service: Service;
  readonly #running = new Set<Promise<void>>();
  /** Ends the turn of this number. */
  readonly #turns = new Map<number, () => void>();
  #ended = false;
  #answeredMs = Number.NEGATIVE_INFINITY;
  /** From an answer to the next request. */
  #pauseMs = Number.POSITIVE_INFINITY;

  constructor(peer: Peer, runtime: Runtime, service: Service) {
    this.#peer = peer;
    this.#runtime = runtime;
    this.#service = service;
  }

  greet(): void {
    this.#send({ kind: "hello", head: this.#service.head() });
  }

  /** True when it was answered just now and usually asks again at once. */
  isExpected(withinMs: number): boolean {
    if (this.#running.size > 0 || this.#pauseMs > withinMs) return false;
    return this.#runtime.monotonicMs() - this.#answeredMs < withinMs;
  }

  receive(bytes: Uint8Array): void {
    const message = decode<FromFollower>(bytes);
    if (message === undefined) {
      this.#peer.close();
    } else if (message.kind === "done") {
      this.#turns.get(message.id)?.();
    } else {
      const pauseMs = this.#runtime.monotonicMs() - this.#answeredMs;
      this.#pauseMs = Number.isFinite(this.#pauseMs)
        ? this.#pauseMs + (pauseMs - this.#pauseMs) * WEIGHT_PAUSE
        : pauseMs;
      const running = message.kind === "commit" ? this.#commit(message) : this.#turn(message.id);
      this.#running.add(running);
      const forget = () => this.#running.delete(running);
      // What cannot be answered is looked for by who asked.
      running.catch(() => this.#peer.close()).finally(forget);
    }
  }

  end(): void {
    this.#ended = true;
    for (const end of this.#turns.values()) end();
  }

  async idle(): Promise<void> {
    await Promise.allSettled(this.#running);
  }

  /** A sign of life, if it is waited for; how much is. */
  beat(): number {
    if (this.#running.size > 0) this.#send({ kind: "alive" });
    return this.#running.size;
  }

  async #commit({ id, writes }: { readonly id: number; readonly writes: unknown }): Promise<void> {
    const answer = await this.#service.commit(writes);
    this.#answeredMs = this.#runtime.monotonicMs();
    this.#send({ kind: "answer", id, answer });
  }

  async #turn(id: number): Promise<void> {
    const turn = this.#service.turn(async () => {
      if (this.#ended) return;
      // Writes of this process wait behind the turn.
      this.#peer.keepAlive(true);
      await new Promise<void>((resolve) => {
        const timer = this.#runtime.timer(TURN_MS_MAX, resolve);
        this.#turns.set(id, () => {
          timer.cancel();
          resolve();
        });
        this.#send({ kind: "go", id });
      });
      this.#turns.delete(id);
      this.#peer.keepAlive(this.#turns.size > 0);
    });
    // A queue that takes no more keeps nobody waiting.
    await turn.catch(() => this.#send({ kind: "go", id }));
  }

  #send(message: FromLeader): void {
    if (!this.#ended) this.#peer.send(encode(message));
  }
}

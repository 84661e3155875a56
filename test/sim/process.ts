/** A process of a simulated world: its own file system, clock, chance and ids, and its own death. */
import type { ObjectStore } from "../../src/store/contract.js";
import type { FileSystem } from "../../src/store/files.js";
import { localStore } from "../../src/store/local.js";
import type { Runtime } from "../../src/support/runtime.js";
import type { Chance } from "./chance.js";
import { simulatedMeeting } from "./meeting.js";
import { simulatedFiles } from "./simulated-files.js";
import type { Effect, World } from "./world.js";

export type Outcome<T> =
  | { readonly kind: "done"; readonly value: T }
  | { readonly kind: "failed"; readonly error: unknown }
  | { readonly kind: "killed" };

/** One process: its view of the disk, its clock, and its death. */
export class SimulatedProcess {
  readonly name: string;
  readonly files: FileSystem;
  readonly runtime: Runtime;
  /** Descriptors that the process holds. */
  openFiles = 0;
  /** How far its wall clock is off. */
  skewMs = 0;
  /** SIGSTOP: nothing of it takes place before this moment of the world. */
  stoppedUntilMs = 0;
  readonly pid: number;
  readonly #world: World;
  readonly #onDeath = new Set<() => void>();
  #alive = true;

  constructor(world: World, name: string, chance: Chance) {
    this.#world = world;
    this.name = name;
    this.pid = world.nextPid();
    this.files = simulatedFiles(world.disk, this, chance.fork());
    this.runtime = simulatedRuntime(world, this, chance);
  }

  get alive(): boolean {
    return this.#alive;
  }

  /** A local store on the simulated disk. */
  store(root: string): ObjectStore {
    return localStore(root, { files: this.files, runtime: this.runtime, meeting: simulatedMeeting(this.#world, this) });
  }

  /** Runs `task` as part of this process: the outcome also tells when the process was killed on the way. */
  spawn<T>(task: () => Promise<T>): Promise<Outcome<T>> {
    return new Promise((resolve) => {
      const forget = this.atDeath(() => resolve({ kind: "killed" }));
      if (!this.#alive) return;
      const end = (outcome: Outcome<T>) => {
        forget();
        resolve(outcome);
      };
      task().then(
        (value) => end({ kind: "done", value }),
        (error: unknown) => end({ kind: "failed", error }),
      );
    });
  }

  /** SIGKILL: none of its calls ever settles, its descriptors are closed, calls under way may still take place. */
  kill(): void {
    if (!this.#alive) return;
    this.#alive = false;
    this.#world.dropPending(this);
    for (const action of this.#onDeath) action();
    this.openFiles = 0;
  }

  /** Calls `action` when the process dies, or now if it is dead. Returns what takes that back. */
  atDeath(action: () => void): () => void {
    if (!this.#alive) {
      action();
      return () => {};
    }
    this.#onDeath.add(action);
    return () => this.#onDeath.delete(action);
  }

  /** A call of this process: waits for its turn, and forever once the process is dead. */
  call<T>(operation: string, path: string, effect: Effect<T>): Promise<T> {
    if (!this.#alive) return new Promise(() => {});
    return this.#world.enqueueCall(this, operation, path, effect);
  }
}

/** Clock, chance and ids of one process of a simulated world. */
function simulatedRuntime(world: World, process: SimulatedProcess, chance: Chance): Runtime {
  return {
    now: () => Math.floor(world.startMs + world.nowMs + process.skewMs),
    monotonicMs: () => world.nowMs,
    random: () => chance.next(),
    uuid: () => chance.uuid(),
    sleep(ms, signal) {
      return new Promise((resolve, reject) => {
        if (!process.alive) return;
        if (signal?.aborted) {
          reject(signal.reason);
          return;
        }
        const onAbort = () => {
          takeBack();
          reject(signal?.reason);
        };
        const takeBack = world.enqueueSleep(process, ms, () => {
          signal?.removeEventListener("abort", onAbort);
          resolve();
        });
        signal?.addEventListener("abort", onAbort, { once: true });
      });
    },
    yield: () => new Promise((resolve) => void (process.alive && world.enqueueSleep(process, 0, resolve))),
    processes: {
      self: () => world.identityOf(process.pid),
      stateOf: (identity) => world.stateOf(identity),
    },
    timer(ms, action) {
      return { cancel: process.alive ? world.enqueueSleep(process, ms, action) : () => {} };
    },
  };
}

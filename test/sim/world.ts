/**
 * A world in which several "processes" run the real code on one simulated disk, driven by one seed.
 *
 * Every file-system call and every sleep waits until the scheduler picks it; which of those that are pending comes
 * next is chance from the seed, and so are uuids, jitter, the time a call takes, and what a crash leaves. The code
 * between two such points runs to its end first, so one seed gives one log, provided that the code under test touches
 * the outside world only through its `FileSystem` and `Runtime`.
 *
 * Faults: `world.onCall` is asked before each call, by number, and may fail it (before or after its effect) or kill
 * the process there (before, after, or in the middle of a write). Calls of a killed process never settle.
 */
import type { ProcessIdentity } from "../../src/support/runtime.js";
import { Chance } from "./chance.js";
import type { Hosts } from "./meeting.js";
import { SimulatedProcess } from "./process.js";
import { type Fate, type Keep, SimulatedDisk, SystemError, type UnsyncedChange } from "./simulated-disk.js";

export interface Call {
  /** Counts the calls of all processes from 0, in the order in which they take place. */
  readonly number: number;
  readonly process: string;
  /** Name of the `FileSystem` or `FileHandle` method: "openNew", "write", "sync", "link", ... */
  readonly operation: string;
  readonly path: string;
}

export type Fault =
  /** The call reports `code`; with "after" it was carried out all the same. */
  | { readonly fail: string; readonly when: "before" | "after" }
  /** The process ends at this call; "torn" carries out half of a write. */
  | { readonly kill: "before" | "after" | "torn" }
  /** Every process ends at this call, and the disk keeps what `keep` says, by default any legal mixture. */
  | { readonly powerCut: "before" | "after"; readonly keep?: Keep };

export type OnCall = (call: Call) => Fault | undefined;

/** What a call does to the disk, once it is its turn. */
export interface Effect<T> {
  apply(): T;
  /** Takes back a value that the caller never hears of; only for opened descriptors. */
  undo?(value: T): void;
  /** What half of it does; only for writes. */
  applyHalf?(): void;
  /** What a failure that comes before the effect does nevertheless; only for syncs. */
  applyFailure?(): void;
}

interface Pending {
  readonly process: SimulatedProcess;
  /** When a sleep ends; undefined for a call, which may be picked at any time. */
  readonly dueMs: number | undefined;
  /** Carries it out and settles its promise. */
  run(): void;
  /** The process died while the call was with the kernel, which may or may not have carried it out. */
  orphan(): void;
}

const START_MS = 1_700_000_000_000;
/** How long a world in which nothing is pending may wait for something real, such as the loading of a module. */
const REAL_WAIT_MS = 500;
const STEPS_MAX = 5_000_000;

/** A fresh world. The same seed and the same program give the same log. */
export function simulate(seed: number, disk = new SimulatedDisk()): World {
  return new World(seed, disk);
}

/** Loses everything that was not synced. */
export const keepNothing: Keep = () => "lost";
/** Loses nothing: the crash of a process, not of the machine. */
export const keepAll: Keep = () => "kept";

/** Each change kept, lost or damaged by chance. */
export function keepByChance(chance: Chance): Keep {
  return (change: UnsyncedChange): Fate => {
    const dice = chance.next();
    if (dice < 0.4) return "kept";
    if (dice < 0.7 || change.kind === "names") return "lost";
    if (dice < 0.8) return "zeros";
    if (dice < 0.9) return { prefixBytes: chance.below(change.bytes.byteLength + 1) };
    const pages = chance.fork();
    return { pages: () => pages.flip() };
  };
}

export class World {
  readonly disk: SimulatedDisk;
  readonly log: string[] = [];
  /** For the test's own decisions; does not disturb the schedule. */
  readonly chance: Chance;
  onCall: OnCall = () => undefined;
  /** Where processes meet. */
  readonly hosts: Hosts = new Map();
  readonly #schedule: Chance;
  readonly #crashes: Chance;
  readonly #seeds: Chance;
  #pending: Pending[] = [];
  #processes: SimulatedProcess[] = [];
  #nowMs = 0;
  #calls = 0;
  #named = 0;
  #pids = 0;
  #boots = 0;
  /** False: no process can tell whether another one runs, as if each were on a machine of its own. */
  provable = true;

  constructor(seed: number, disk: SimulatedDisk) {
    const root = new Chance(seed);
    this.#schedule = root.fork();
    this.#crashes = root.fork();
    this.#seeds = root.fork();
    this.chance = root.fork();
    this.disk = disk;
  }

  /** The wall clock when the world begins. */
  readonly startMs = START_MS;

  /** Milliseconds since the world began. */
  get nowMs(): number {
    return this.#nowMs;
  }

  /** The number that the next call will get. */
  get calls(): number {
    return this.#calls;
  }

  /** Descriptors that living processes hold. */
  get openFiles(): number {
    return this.#processes.reduce((sum, process) => sum + process.openFiles, 0);
  }

  process(name = `p${++this.#named}`): SimulatedProcess {
    const process = new SimulatedProcess(this, name, this.#seeds.fork());
    this.#processes.push(process);
    return process;
  }

  /** For `SimulatedProcess`. */
  nextPid(): number {
    return ++this.#pids;
  }

  /** For `SimulatedProcess`. */
  identityOf(pid: number): ProcessIdentity {
    return { host: "simulated", pid, bootId: String(this.#boots), pidNamespace: "1", threadId: pid, startTime: "1" };
  }

  /** For `SimulatedProcess`. */
  stateOf({ pid, bootId }: ProcessIdentity): "running" | "gone" | "unknown" {
    if (!this.provable) return "unknown";
    const there = bootId === String(this.#boots) && this.#processes.some((one) => one.pid === pid && one.alive);
    return there ? "running" : "gone";
  }

  /** Power cut: every process dies, and the disk keeps what `keep` says, by default any legal mixture. */
  crash(keep: Keep = keepByChance(this.#crashes)): void {
    for (const process of this.#processes) process.kill();
    this.#processes = [];
    this.#boots++;
    this.disk.crash(keep);
    this.#note("crash");
  }

  /** Runs `main` and whatever it starts until it settles. @throws when nothing is left that could wake it */
  async run<T>(main: () => Promise<T>): Promise<T> {
    let settled = false;
    const result = main().finally(() => {
      settled = true;
    });
    result.catch(() => {});
    for (let step = 0; ; step++) {
      await macrotask();
      if (settled) return result;
      if (step === STEPS_MAX) throw new Error(`The simulation did not end within ${STEPS_MAX} steps.`);
      if (this.#step()) continue;
      if (!(await this.#realWorldWakes(() => settled))) {
        throw new Error(`Nothing is left to do, yet the simulation is not over: a deadlock.\n${this.tail()}`);
      }
    }
  }

  /** Carries on whenever something is pending, for tests that know nothing of the simulation. Returns what stops it. */
  drive(): () => void {
    let driving = true;
    const turn = async () => {
      while (driving) {
        await macrotask();
        this.#step();
      }
    };
    void turn();
    return () => {
      driving = false;
    };
  }

  /** Lets what is pending come to its end, background work included, but for sleeps of more than `ms` from now. */
  async settle(ms = 1_000): Promise<void> {
    const end = this.#nowMs + ms;
    do await macrotask();
    while (this.#pending.some((each) => dueOf(each) <= end) && this.#step());
  }

  /** The last lines of the log, for messages. */
  tail(lines = 40): string {
    return this.log.slice(-lines).join("\n");
  }

  /** For `SimulatedProcess`: a call that waits for its turn. */
  enqueueCall<T>(process: SimulatedProcess, operation: string, path: string, effect: Effect<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#pending.push({
        process,
        dueMs: undefined,
        run: () => this.#carryOut(process, operation, path, effect, resolve, reject),
        orphan: () => {
          if (!this.#schedule.flip()) return;
          try {
            effect.apply();
            this.#note(`${process.name} ${operation} ${path}: done after the kill`);
          } catch {
            // Nobody is left to hear of it.
          }
        },
      });
    });
  }

  /** For `SimulatedProcess`: calls `wake` when the time has come; returns what takes it back. */
  enqueueSleep(process: SimulatedProcess, ms: number, wake: () => void): () => void {
    const pending: Pending = { process, dueMs: this.#nowMs + Math.max(0, ms), run: wake, orphan: () => {} };
    this.#pending.push(pending);
    return () => {
      this.#pending = this.#pending.filter((each) => each !== pending);
    };
  }

  /** For `SimulatedProcess`. */
  dropPending(process: SimulatedProcess): void {
    const dropped = this.#pending.filter((each) => each.process === process);
    this.#pending = this.#pending.filter((each) => each.process !== process);
    for (const each of dropped) each.orphan();
    this.#note(`${process.name} killed`);
  }

  /** One pending call or sleep, picked by chance; false when there is none. */
  #step(): boolean {
    if (this.#pending.length === 0) return false;
    let ready = this.#pending.filter((each) => dueOf(each) <= this.#nowMs);
    if (ready.length === 0) {
      const soonest = Math.min(...this.#pending.map(dueOf));
      this.#nowMs = soonest;
      ready = this.#pending.filter((each) => dueOf(each) <= soonest);
    }
    const picked = this.#schedule.pick(ready);
    this.#pending.splice(this.#pending.indexOf(picked), 1);
    this.#nowMs += 0.005 + this.#schedule.next() * 0.3;
    this.disk.tick(BigInt(START_MS) * 1_000_000n + BigInt(Math.floor(this.#nowMs * 1_000_000)));
    picked.run();
    return true;
  }

  #carryOut<T>(
    process: SimulatedProcess,
    operation: string,
    path: string,
    effect: Effect<T>,
    resolve: (value: T) => void,
    reject: (error: unknown) => void,
  ): void {
    const call = { number: this.#calls++, process: process.name, operation, path };
    const fault = this.onCall(call);
    const line = `${call.number} ${process.name} ${operation} ${path}`;
    if (fault !== undefined && "kill" in fault) {
      if (fault.kill === "after") quietly(effect.apply);
      if (fault.kill === "torn") effect.applyHalf?.();
      this.#note(`${line}: killed ${fault.kill}`);
      process.kill();
      return;
    }
    if (fault !== undefined && "powerCut" in fault) {
      if (fault.powerCut === "after") quietly(effect.apply);
      this.#note(`${line}: power cut ${fault.powerCut}`);
      this.crash(fault.keep);
      return;
    }
    if (fault?.when === "before") {
      effect.applyFailure?.();
      this.#note(`${line}: ${fault.fail}`);
      reject(new SystemError(fault.fail, operation, path));
      return;
    }
    try {
      const value = effect.apply();
      if (fault === undefined) {
        this.#note(line);
        resolve(value);
      } else {
        effect.undo?.(value);
        this.#note(`${line}: done, but ${fault.fail}`);
        reject(new SystemError(fault.fail, operation, path));
      }
    } catch (error) {
      this.#note(`${line}: ${error instanceof SystemError ? error.code : String(error)}`);
      reject(error);
    }
  }

  async #realWorldWakes(settled: () => boolean): Promise<boolean> {
    const end = performance.now() + REAL_WAIT_MS;
    while (performance.now() < end) {
      await new Promise((resolve) => setTimeout(resolve, 1));
      if (settled() || this.#pending.length > 0) return true;
    }
    return false;
  }

  #note(line: string): void {
    this.log.push(`${this.#nowMs.toFixed(3)} ${line}`);
  }
}

/** When a pending call or sleep may take place; nothing of a stopped process does. */
function dueOf(each: Pending): number {
  return Math.max(each.dueMs ?? 0, each.process.stoppedUntilMs);
}

/** After this, all promise reactions that could run have run. */
function macrotask(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function quietly(action: () => unknown): void {
  try {
    action();
  } catch {
    // The process that would have heard of it is gone.
  }
}

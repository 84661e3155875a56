/**
 * Clock, timers, chance, ids and the processes beside this one, injected everywhere, so that a simulation can replay
 * any run from its seed.
 *
 * This file and `store/` are the only places that touch the world outside the process.
 */
import { randomUUID } from "node:crypto";
import { readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";

export interface Timer {
  cancel(): void;
}

export interface Runtime {
  /** Wall clock, milliseconds since 1970. Never used to order events. */
  now(): number;
  /** A clock that only moves forward, milliseconds with fraction. */
  monotonicMs(): number;
  /** Uniform in [0, 1). */
  random(): number;
  /** A fresh random id, UUID version 4, lower case with hyphens. */
  uuid(): string;
  /** Resolves after `ms`; rejects with the signal's reason when it aborts first. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** Resolves after everything that is ready to run now has run. */
  yield(): Promise<void>;
  /** Calls `action` once after `ms`; does not keep the process alive. */
  timer(ms: number, action: () => void): Timer;
  /** Who runs on this machine; without it nobody's end can be proved. */
  readonly processes?: Processes;
}

/** What tells one thread of one process of one machine from every other one, before and after. */
export interface ProcessIdentity {
  readonly host: string;
  readonly pid: number;
  /** Empty where the system does not tell; then nobody can prove that the process is gone. */
  readonly bootId: string;
  /** Process numbers mean something only inside one of these. */
  readonly pidNamespace: string;
  readonly threadId: number;
  /** Ticks since the machine was started. */
  readonly startTime: string;
}

export interface Processes {
  self(): ProcessIdentity;
  /** unknown: it cannot be told from here, because the process belongs to another machine or container. */
  stateOf(identity: ProcessIdentity): "running" | "gone" | "unknown";
}

/** Position of the start time behind the name of the program in /proc/…/stat. */
const START_TIME_FIELD = 19;

/**
 * Processes by /proc: a number alone proves nothing, because numbers are given again and mean different processes in
 * different containers. Where there is no /proc, nothing is proved. A worker thread counts as a process: it ends alone.
 */
const systemProcesses: Processes = { self: identifySelf, stateOf };

let known: ProcessIdentity | undefined;

function identifySelf(): ProcessIdentity {
  known ??= {
    host: hostname(),
    pid: process.pid,
    bootId: textOf("/proc/sys/kernel/random/boot_id"),
    pidNamespace: linkOf("/proc/self/ns/pid"),
    threadId: Number(/\/task\/([0-9]+)$/.exec(linkOf("/proc/thread-self"))?.[1] ?? 0),
    startTime: parseStat(textOf("/proc/thread-self/stat"))?.startTime ?? "",
  };
  return known;
}

function stateOf(identity: ProcessIdentity): "running" | "gone" | "unknown" {
  const self = identifySelf();
  const comparable =
    self.bootId !== "" &&
    self.startTime !== "" &&
    self.pidNamespace !== "" &&
    identity.bootId === self.bootId &&
    identity.pidNamespace === self.pidNamespace;
  if (!comparable) return "unknown";
  const stat = parseStat(textOf(`/proc/${identity.pid}/task/${identity.threadId}/stat`));
  // Some systems hide the processes of other users in /proc; a signal that is not sent finds them nevertheless.
  if (stat === undefined) return isThere(identity.pid) && !canRead(identity.pid) ? "unknown" : "gone";
  return stat.startTime === identity.startTime && !"ZXx".includes(stat.state) ? "running" : "gone";
}

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as { code?: unknown }).code === "EPERM";
  }
}

function canRead(pid: number): boolean {
  return textOf(`/proc/${pid}/stat`) !== "";
}

/** The name of the program stands in parentheses and may itself contain some. */
function parseStat(stat: string): { readonly state: string; readonly startTime: string } | undefined {
  const end = stat.lastIndexOf(")");
  if (end < 0) return undefined;
  const fields = stat.slice(end + 2).split(" ");
  const [state] = fields;
  const startTime = fields[START_TIME_FIELD];
  return state === undefined || startTime === undefined ? undefined : { state, startTime };
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8").trim();
  } catch {
    return "";
  }
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
}

/** Node's timers end at once when they are asked to wait for longer than this. */
const TIMER_MS_MAX = 2 ** 31 - 1;

function startTimer(ms: number, how: "keeps the process alive" | "in the background", action: () => void): Timer {
  let handle: NodeJS.Timeout | undefined;
  const wait = (leftMs: number) => {
    const partMs = Math.min(leftMs, TIMER_MS_MAX);
    handle = setTimeout(() => (leftMs > partMs ? wait(leftMs - partMs) : action()), partMs);
    if (how === "in the background") handle.unref();
  };
  wait(ms);
  return { cancel: () => clearTimeout(handle) };
}

/** The real world. */
export const systemRuntime: Runtime = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  random: () => Math.random(),
  uuid: () => randomUUID(),
  sleep(ms, signal) {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason);
        return;
      }
      const onAbort = () => {
        timer.cancel();
        reject(signal?.reason);
      };
      const timer = startTimer(ms, "keeps the process alive", () => {
        signal?.removeEventListener("abort", onAbort);
        resolve();
      });
      signal?.addEventListener("abort", onAbort, { once: true });
    });
  },
  yield: () => new Promise((resolve) => setImmediate(resolve)),
  timer: (ms, action) => startTimer(ms, "in the background", action),
  processes: systemProcesses,
};

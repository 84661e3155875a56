/**
 * Clock, timers, chance and ids, injected everywhere, so that a simulation can replay any run from its seed.
 *
 * This file and `store/` are the only places that touch the world outside the process.
 */
import { randomUUID } from "node:crypto";

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
        clearTimeout(handle);
        reject(signal?.reason);
      };
      const handle = setTimeout(() => {
        signal?.removeEventListener("abort", onAbort);
        resolve();
      }, ms);
      signal?.addEventListener("abort", onAbort, { once: true });
    });
  },
  yield: () => new Promise((resolve) => setImmediate(resolve)),
  timer(ms, action) {
    const handle = setTimeout(action, ms);
    handle.unref();
    return { cancel: () => clearTimeout(handle) };
  },
};

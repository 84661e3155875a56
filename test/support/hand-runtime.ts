/** A runtime whose clock moves only when the test says so. */
import type { Runtime } from "../../src/support/runtime.js";

interface Wake {
  readonly dueMs: number;
  readonly action: () => void;
}

export class HandRuntime implements Runtime {
  #nowMs = 0;
  #ids = 0;
  #wakes: Wake[] = [];

  /** Timers and sleeps that have not ended. */
  get pending(): number {
    return this.#wakes.length;
  }

  now(): number {
    return 1_700_000_000_000 + this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  random(): number {
    return 0.5;
  }

  uuid(): string {
    return `00000000-0000-4000-8000-${String(this.#ids++).padStart(12, "0")}`;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason);
        return;
      }
      const timer = this.timer(ms, resolve);
      signal?.addEventListener("abort", () => {
        timer.cancel();
        reject(signal.reason);
      });
    });
  }

  yield(): Promise<void> {
    return new Promise((resolve) => setImmediate(resolve));
  }

  timer(ms: number, action: () => void): { cancel(): void } {
    const wake = { dueMs: this.#nowMs + ms, action };
    this.#wakes.push(wake);
    const cancel = () => {
      this.#wakes = this.#wakes.filter((one) => one !== wake);
    };
    return { cancel };
  }

  /** Lets `ms` pass, and everything that is due by then happen. */
  async advance(ms: number): Promise<void> {
    this.#nowMs += ms;
    const due = this.#wakes.filter((wake) => wake.dueMs <= this.#nowMs);
    this.#wakes = this.#wakes.filter((wake) => wake.dueMs > this.#nowMs);
    for (const wake of due) wake.action();
    await turn();
  }
}

/** After this, everything that was ready to run has run, and what it made ready too. */
export async function turn(): Promise<void> {
  for (let i = 0; i < 3; i++) await new Promise<void>((resolve) => setImmediate(resolve));
}

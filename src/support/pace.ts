/**
 * Keeps work that never waits from starving the event loop: local reads answer at once, so a loop of awaited reads
 * runs in microtasks only, and no timer, heartbeat or write would get its turn.
 */
import type { Runtime } from "./runtime.js";

/** Milliseconds that may pass between two turns of the event loop. */
const SLICE_MS = 2;

const lastTurnMs = new WeakMap<Runtime, number>();

/** Gives everything that waits a turn, if the last one is more than a slice (milliseconds) ago. */
export async function pace(runtime: Runtime, sliceMs: number = SLICE_MS): Promise<void> {
  const last = lastTurnMs.get(runtime);
  const nowMs = runtime.monotonicMs();
  if (last === undefined) lastTurnMs.set(runtime, nowMs);
  else if (nowMs - last > sliceMs) {
    lastTurnMs.set(runtime, nowMs);
    await runtime.yield();
    lastTurnMs.set(runtime, runtime.monotonicMs());
  }
}

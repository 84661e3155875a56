/** The real clock's timers, where Node's own would misfire. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { systemRuntime } from "../../src/support/runtime.js";

const MONTH_MS = 2 ** 31 + 1000;

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] }));
afterEach(() => void vi.useRealTimers());

test("a timer of more than 24 days waits as long as it was told to, and not a millisecond", async () => {
  const action = vi.fn();
  systemRuntime.timer(MONTH_MS, action);
  await vi.advanceTimersByTimeAsync(MONTH_MS - 1);
  expect(action).not.toHaveBeenCalled();
  await vi.advanceTimersByTimeAsync(1);
  expect(action).toHaveBeenCalledTimes(1);
});

test("an endless timer never fires, and a long one that was canceled leaves nothing behind", async () => {
  const action = vi.fn();
  const endless = systemRuntime.timer(Number.POSITIVE_INFINITY, action);
  const long = systemRuntime.timer(MONTH_MS, action);
  await vi.advanceTimersByTimeAsync(2 ** 31);
  long.cancel();
  endless.cancel();
  expect(vi.getTimerCount()).toBe(0);
  expect(action).not.toHaveBeenCalled();
});

test("a long sleep ends by its signal", async () => {
  const controller = new AbortController();
  const sleep = systemRuntime.sleep(MONTH_MS, controller.signal).catch((error: unknown) => error);
  await vi.advanceTimersByTimeAsync(2 ** 31);
  controller.abort("enough");
  expect(await sleep).toBe("enough");
  expect(vi.getTimerCount()).toBe(0);
});

/** Which thread reads for a reader thread: itself while the page cache has everything, the pool after one wait. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type FileHandle, nodeFiles, readerFiles } from "../../src/store/files.js";

/** More than goes through the calling thread anyhow. */
const LARGE = 128 * 1024;
const SMALL = 1024;
const CONTENT = Uint8Array.from({ length: 2 * LARGE }, (_, i) => (i * 7 + (i >> 9)) & 255);

let scratch = "";
/** Milliseconds that a read takes, by the clock that tells. */
let readMs = 0;
let looks = 0;

beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), "joust-pace-"));
  writeFileSync(join(scratch, "a"), CONTENT);
  writeFileSync(join(scratch, "b"), CONTENT);
  readMs = 0;
  looks = 0;
  let nowMs = 0;
  vi.spyOn(performance, "now").mockImplementation(() => {
    looks++;
    nowMs += readMs;
    return nowMs;
  });
});

afterEach(() => {
  vi.restoreAllMocks();
  rmSync(scratch, { recursive: true, force: true });
});

/** Who made a read: only what this thread reads is timed, and within the call. */
async function readBy(handle: FileHandle, bytes = LARGE, at = 1): Promise<"this thread" | "the pool"> {
  const into = new Uint8Array(bytes);
  const before = looks;
  const reading = handle.read(into, at);
  const isTimed = looks > before;
  expect(await reading).toBe(bytes);
  expect(Buffer.compare(into, CONTENT.subarray(at, at + bytes))).toBe(0);
  return isTimed ? "this thread" : "the pool";
}

test("one large read that waits sends the next ones to the pool, of every file of the thread, and only for a while", async () => {
  const files = readerFiles();
  const [a, b] = [await files.openRead(join(scratch, "a")), await files.openRead(join(scratch, "b"))];
  for (let i = 0; i < 5; i++) expect(await readBy(a), "while reads are quick").toBe("this thread");
  readMs = 1;
  expect(await readBy(a), "the one that waits").toBe("this thread");
  readMs = 0;
  expect(await readBy(b), "another file").toBe("the pool");
  let pooled = 1;
  while (pooled < 1000 && (await readBy(a)) === "the pool") pooled++;
  expect(pooled).toBeGreaterThan(8);
  expect(pooled).toBeLessThan(200);
  expect(await readBy(b), "once that was quick").toBe("this thread");
  await Promise.all([a.close(), b.close()]);
});

test("a read counts as slow by its bytes: what the page cache gives in that time is quick", async () => {
  const handle = await readerFiles().openRead(join(scratch, "a"));
  readMs = LARGE / 2_000_000;
  for (let i = 0; i < 3; i++) expect(await readBy(handle)).toBe("this thread");
  readMs = LARGE / 500_000;
  expect(await readBy(handle)).toBe("this thread");
  expect(await readBy(handle)).toBe("the pool");
  await handle.close();
});

test("small reads neither wait for the pool nor tell how quick the device is", async () => {
  const handle = await readerFiles().openRead(join(scratch, "a"));
  readMs = 1;
  await readBy(handle);
  const before = looks;
  for (let i = 0; i < 200; i++) await readBy(handle, SMALL);
  expect(looks).toBe(before);
  expect(await readBy(handle)).toBe("the pool");
  await handle.close();
});

test("the thread that has to answer others leaves every large read to the pool", async () => {
  const handle = await nodeFiles.openRead(join(scratch, "a"));
  for (let i = 0; i < 3; i++) expect(await readBy(handle)).toBe("the pool");
  await handle.close();
});

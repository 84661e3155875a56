import { compress, init } from "@bokuweb/zstd-wasm";
import { beforeAll, expect, test } from "vitest";
import { zstdDecompress } from "../../src/support/zstd.js";

const content = new TextEncoder().encode("flights ".repeat(1_000));
let frame: Uint8Array;

beforeAll(async () => {
  await init();
  frame = compress(content, 3);
});

const corrupt = expect.objectContaining({ code: "CORRUPT" });

test("a frame gives its content, in a buffer of its own", async () => {
  const answer = await zstdDecompress(frame, content.length);
  expect(answer).toEqual(content);
  expect(answer.byteOffset).toBe(0);
  expect(answer.buffer.byteLength).toBe(content.length);
});

test("an empty frame gives nothing", async () => {
  expect((await zstdDecompress(compress(new Uint8Array(), 3), 0)).length).toBe(0);
});

test("a frame with more content than allowed is refused", async () => {
  await expect(zstdDecompress(frame, content.length - 1)).rejects.toEqual(corrupt);
});

test("a frame that announces terabytes is refused before memory is taken for them", async () => {
  // One segment, size in eight bytes.
  const bomb = Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0xe0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0, 0);
  await expect(zstdDecompress(bomb, 2 ** 20)).rejects.toEqual(corrupt);
});

test("a frame that hides its size cannot give more than allowed", async () => {
  // No size, window of 1 KB, one block of run length: 100 times the letter "a".
  const hidden = Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0, 0, ((100 << 3) & 0xff) | 3, (100 << 3) >> 8, 0, 97);
  expect(await zstdDecompress(hidden, 100)).toEqual(new Uint8Array(100).fill(97));
  await expect(zstdDecompress(hidden, 99)).rejects.toEqual(corrupt);
});

test("frames that are cut off or changed are refused or give as much as announced", async () => {
  for (let length = 0; length < frame.length; length++) {
    await expect(zstdDecompress(frame.slice(0, length), content.length)).rejects.toEqual(corrupt);
  }
  for (let bit = 0; bit < frame.length * 8; bit++) {
    const copy = frame.slice();
    copy[bit >> 3]! ^= 1 << (bit & 7);
    const outcome = await zstdDecompress(copy, content.length).catch((error: unknown) => error);
    if (outcome instanceof Uint8Array) expect(outcome.length).toBeLessThanOrEqual(content.length);
    else expect(outcome).toEqual(corrupt);
  }
});

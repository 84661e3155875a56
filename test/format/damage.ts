/** Every way to cut a file short and to change one byte of it, and what a decoder may answer. */
import { expect } from "vitest";
import { isTableError } from "../../src/support/errors.js";

/** Every proper prefix, and every file that differs in one bit. */
export function* damaged(bytes: Uint8Array): Generator<Uint8Array<ArrayBuffer>> {
  for (let length = 0; length < bytes.length; length++) yield bytes.slice(0, length);
  for (let i = 0; i < bytes.length; i++) {
    for (let bit = 0; bit < 8; bit++) {
      const copy = new Uint8Array(bytes);
      copy[i]! ^= 1 << bit;
      yield copy;
    }
  }
}

/** Fails unless `error` says what is damaged, and where. */
export function expectTyped(error: unknown): void {
  expect(isTableError(error, "CORRUPT") || isTableError(error, "NOT_SUPPORTED"), String(error)).toBe(true);
  const { details } = error as { readonly details: Readonly<Record<string, unknown>> };
  expect(details).toHaveProperty("path");
}

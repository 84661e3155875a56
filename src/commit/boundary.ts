/**
 * The retired boundary: what vacuums have announced, durably and before they removed anything.
 *
 * Version names up to `upTo` are never created again, and versions up to it are gone but for those in `kept`. What is
 * gone stays gone: a vacuum only ever moves `upTo` up and takes versions out of `kept`. Holders in `expelled` were taken
 * for dead without a proof; one of them that wakes up may neither commit what it staged nor rely on its pins.
 */
import type { ObjectStore } from "../store/contract.js";
import { isTableError, TableError } from "../support/errors.js";

/** Native readers and cleanups of the format ignore this directory. */
export const COORDINATION = "_coord";
export const RETIRED_PATH = `${COORDINATION}/retired.json`;

export interface Boundary {
  readonly upTo: number;
  readonly kept: ReadonlySet<number>;
  readonly expelled: ReadonlySet<string>;
}

/** What was last read of the boundary, so that the file is read again only after it changed. */
export interface BoundaryMemo {
  /** undefined: there was no file. */
  identity: string | undefined;
  boundary: Boundary;
}

export const NO_BOUNDARY: Boundary = { upTo: 0, kept: new Set(), expelled: new Set() };
/** Expelled holders that are remembered; the oldest are forgotten first. */
export const EXPELLED_MAX = 4096;

export function newBoundaryMemo(): BoundaryMemo {
  return { identity: undefined, boundary: NO_BOUNDARY };
}

/** The boundary as of now. Costs one look-up of a name while it did not change. @throws CORRUPT */
export async function readBoundary(store: ObjectStore, memo: BoundaryMemo): Promise<Boundary> {
  const info = await store.head(RETIRED_PATH);
  if (info?.identity === memo.identity) return memo.boundary;
  let boundary = NO_BOUNDARY;
  if (info !== undefined) {
    try {
      boundary = decodeBoundary(await store.get(RETIRED_PATH), store);
    } catch (error) {
      // The table was dropped between the two calls.
      if (!isTableError(error, "NOT_FOUND")) throw error;
    }
  }
  memo.identity = info?.identity;
  memo.boundary = boundary;
  return boundary;
}

/** The highest version number whose name may have been removed; 0 when no vacuum ever ran. */
export async function retiredUpTo(store: ObjectStore, memo: BoundaryMemo): Promise<number> {
  return (await readBoundary(store, memo)).upTo;
}

/** Announces, durably. Everything unlinked in the same directory before is durable with it. */
export async function writeBoundary(store: ObjectStore, boundary: Boundary): Promise<void> {
  const content = {
    upTo: boundary.upTo,
    kept: [...boundary.kept].sort((a, b) => a - b),
    expelled: [...boundary.expelled].slice(-EXPELLED_MAX),
  };
  await store.replace(RETIRED_PATH, [new TextEncoder().encode(JSON.stringify(content))], { durable: true });
}

/** True when a vacuum has announced that the version goes. */
export function isRetired(boundary: Boundary, version: number): boolean {
  return version <= boundary.upTo && !boundary.kept.has(version);
}

function decodeBoundary(bytes: Uint8Array, store: ObjectStore): Boundary {
  let content: { upTo?: unknown; kept?: unknown; expelled?: unknown } | null = null;
  try {
    content = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    // Said below.
  }
  const { upTo, kept = [], expelled = [] } = content ?? {};
  if (isVersion(upTo) && isListOf(kept, isVersion) && isListOf(expelled, (one) => typeof one === "string")) {
    return { upTo, kept: new Set(kept), expelled: new Set(expelled) };
  }
  throw new TableError(
    "CORRUPT",
    `The retired boundary of ${store.display} is not readable (${RETIRED_PATH}). No version can be created safely; restore the file or run doctor.`,
    { details: { path: RETIRED_PATH, offset: 0 } },
  );
}

function isVersion(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function isListOf<T>(value: unknown, is: (one: unknown) => one is T): value is T[] {
  return Array.isArray(value) && value.every(is);
}

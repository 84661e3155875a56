/**
 * Feature flags: what a program must know before it may read or write a table.
 *
 * Every commit computes the words anew from what the manifest holds and carries over the flags that describe how the
 * table was made. Meaning of the bits: lance-format table specification, "Feature flags".
 */
import { TableError } from "../support/errors.js";
import type { FragmentList } from "./fragment-list.js";

export const FLAG_DELETION_FILES = 1n;
export const FLAG_STABLE_ROW_IDS = 2n;
/** Written by old versions, without meaning today. */
export const FLAG_USE_V2_FORMAT = 4n;
export const FLAG_TABLE_CONFIG = 8n;
export const FLAG_BASE_PATHS = 16n;
export const FLAG_NO_TRANSACTION_FILE = 32n;
export const FLAG_COVERING_INDEX = 128n;
export const FLAG_MIXED_DATA_VERSIONS = 256n;
/** In both words: the data files are not Lance files; `DATA_FORMAT_KEY` in the config names their format. */
export const FLAG_OTHER_DATA_FORMAT = 1n << 62n;

/** Config key of the data format of a table whose files are not Lance. */
export const DATA_FORMAT_KEY = "joust.data_format";

const READABLE =
  FLAG_DELETION_FILES |
  FLAG_STABLE_ROW_IDS |
  FLAG_USE_V2_FORMAT |
  FLAG_TABLE_CONFIG |
  FLAG_BASE_PATHS |
  FLAG_NO_TRANSACTION_FILE |
  FLAG_COVERING_INDEX |
  FLAG_MIXED_DATA_VERSIONS |
  FLAG_OTHER_DATA_FORMAT;
// A covering index holds copies of column values; writers that do not renew them would leave stale ones behind.
const WRITABLE = READABLE & ~FLAG_COVERING_INDEX;
// Flags that follow from the content of the manifest; all others are carried over.
const COMPUTED = FLAG_DELETION_FILES | FLAG_TABLE_CONFIG | FLAG_OTHER_DATA_FORMAT;

export interface FlagWords {
  readonly readerFlags: bigint;
  readonly writerFlags: bigint;
}

/** The flag words of the next manifest, which has this content. */
export function requiredFlags(
  manifest: FlagWords & { readonly fragments: FragmentList; readonly config: ReadonlyMap<string, string> },
): FlagWords {
  let both = 0n;
  if (manifest.fragments.hasDeletions()) both |= FLAG_DELETION_FILES;
  if (manifest.config.has(DATA_FORMAT_KEY)) both |= FLAG_OTHER_DATA_FORMAT;
  const config = manifest.config.size > 0 ? FLAG_TABLE_CONFIG : 0n;
  return {
    readerFlags: (manifest.readerFlags & ~COMPUTED) | both,
    writerFlags: (manifest.writerFlags & ~COMPUTED) | both | config,
  };
}

/** @throws NOT_SUPPORTED when the table needs something for reading that is not known */
export function checkReadable(readerFlags: bigint, path: string): void {
  refuseUnknown(readerFlags & ~READABLE, path, "read");
}

/** @throws NOT_SUPPORTED when the table needs something for writing that is not known; it can still be read */
export function checkWritable(writerFlags: bigint, path: string): void {
  refuseUnknown(writerFlags & ~WRITABLE, path, "written");
}

function refuseUnknown(flags: bigint, path: string, done: "read" | "written"): void {
  if (flags === 0n) return;
  throw new TableError(
    "NOT_SUPPORTED",
    `The table cannot be ${done}: ${path} has feature flags 0x${flags.toString(16)}, which this version does not know. ` +
      "Use a newer version of this package, or the program that made the table.",
    { details: { path, flags: `0x${flags.toString(16)}` } },
  );
}

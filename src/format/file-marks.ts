/**
 * Marks in file names: which holder of a lease made a data or deletion file, and as its how many-th one.
 *
 * A vacuum tells by the mark whether an unreferenced file may belong to a write under way, without looking at any
 * clock. Names that other writers give carry no mark: a data file's mark stands before a hyphen, which they never use.
 * A deletion file's name holds a random number, so any such number may look like a mark.
 */
import { assert } from "../support/errors.js";
import type { Runtime } from "../support/runtime.js";

export interface FileMark {
  /** Eight hexadecimal digits. */
  readonly holder: string;
  /** Ascends with every file that the holder names. */
  readonly sequence: number;
}

const SEQUENCE_LIMIT = 2 ** 32;
const DATA_FILE = /^[01]{24}([0-9a-f]{8})([0-9a-f]{8})-[0-9a-f]{8}\.[a-z]+$/;
const DELETION_FILE = /^[0-9]+-[0-9]+-([0-9]{1,20})\.(?:arrow|bin)$/;

/** A fresh holder id. */
export function newHolder(runtime: Runtime): string {
  return runtime.uuid().slice(0, 8);
}

/**
 * A fresh name for a data file: 24 binary digits, so that object stores spread the names, the mark, some chance.
 * @param extension without the dot
 */
export function dataFileName(runtime: Runtime, mark: FileMark, extension: string): string {
  const hex = runtime.uuid().replaceAll("-", "");
  const spread = Number.parseInt(hex.slice(0, 6), 16).toString(2).padStart(24, "0");
  return `${spread}${mark.holder}${hexSequence(mark)}-${hex.slice(-8)}.${extension}`;
}

/** The mark of a data file's name; undefined when another writer made it. */
export function markOfDataFile(name: string): FileMark | undefined {
  const match = DATA_FILE.exec(name);
  if (match === null) return undefined;
  return { holder: match[1] as string, sequence: Number.parseInt(match[2] as string, 16) };
}

/** The number in the name of a deletion file. */
export function deletionFileId(mark: FileMark): bigint {
  return BigInt(`0x${mark.holder}${hexSequence(mark)}`);
}

/** The mark that the name of a deletion file holds if one of our writers made it. */
export function markOfDeletionFile(name: string): FileMark | undefined {
  const match = DELETION_FILE.exec(name);
  if (match === null) return undefined;
  const hex = BigInt(match[1] as string)
    .toString(16)
    .padStart(16, "0");
  if (hex.length > 16) return undefined;
  return { holder: hex.slice(0, 8), sequence: Number.parseInt(hex.slice(8), 16) };
}

function hexSequence({ sequence }: FileMark): string {
  assert(sequence < SEQUENCE_LIMIT, "a holder names fewer than 2^32 files");
  return sequence.toString(16).padStart(8, "0");
}

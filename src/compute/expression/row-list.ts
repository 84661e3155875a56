/**
 * Lists of row numbers on the way to a result, in memory that the next evaluation uses again: every term of a filter
 * fills one as long as the batch.
 *
 * An evaluation never waits for anything, so one set of lists serves the thread.
 */

/** Longer ones are rare, and not kept. */
const ROWS_MAX = 1 << 16;
/** Terms beyond these get fresh lists. */
const LISTS_MAX = 8;

const lists: Uint32Array[] = [];
let taken = 0;

/** A list of `length` numbers that may hold anything, until the next evaluation begins. */
export function newRowList(length: number): Uint32Array {
  if (length > ROWS_MAX || taken === LISTS_MAX) return new Uint32Array(length);
  let list = lists[taken];
  if (list === undefined || list.length < length) {
    list = new Uint32Array(Math.min(ROWS_MAX, 2 ** Math.ceil(Math.log2(length + 1))));
    lists[taken] = list;
  }
  taken++;
  return list.subarray(0, length);
}

/** Runs an evaluation; its result is in memory of its own. */
export function withRowLists(evaluation: () => Uint32Array): Uint32Array {
  taken = 0;
  const rows = evaluation();
  return lists.some(({ buffer }) => buffer === rows.buffer) ? rows.slice() : rows;
}

/**
 * The fragments of one version, kept as the bytes of the manifest and decoded only where somebody looks.
 *
 * Immutable. Changed lists share the bytes and the decoded fragments of the list they come from, so that an append to
 * ten thousand fragments costs the append. Ids ascend strictly; a manifest whose ids do not is refused.
 */
import { assert, TableError } from "../support/errors.js";
import type { Fragment } from "./fragment.js";
import { type Block, emptyBlock, encodeBlock, entryOf, FRAGMENTS_FIELD, scanBlock } from "./fragment-block.js";
import { concat, WireReader } from "./wire.js";
import { WireWriter } from "./wire-writer.js";

/** A hard ceiling; compaction keeps tables far below. */
export const FRAGMENTS_MAX = 1_000_000;
/** More pieces than this are copied into one, which keeps lookups and encoding flat. */
const RUNS_MAX = 64;

/** Entries [from, to) of a block; `first` is the list's index of the first of them. */
interface Run {
  readonly block: Block;
  readonly from: number;
  readonly to: number;
  readonly first: number;
}

export class FragmentList implements Iterable<Fragment> {
  static readonly empty = new FragmentList([]);

  readonly length: number;
  private readonly runs: readonly Run[];
  private cachedIds: readonly number[] | undefined;
  private cachedTotals:
    | { readonly physicalRows: number; readonly rows: number; readonly deletions: boolean }
    | undefined;

  private constructor(runs: readonly Run[]) {
    this.runs = runs;
    const last = runs[runs.length - 1];
    this.length = last === undefined ? 0 : last.first + last.to - last.from;
  }

  /** A list of these fragments, in ascending order of their ids, which are all different. */
  static from(fragments: Iterable<Fragment>): FragmentList {
    return FragmentList.empty.append([...fragments]);
  }

  /**
   * A list of encoded fragments (DataFragment messages without tag and length).
   * @throws CORRUPT
   */
  static fromEncoded(messages: readonly Uint8Array[], path = "a list of fragments"): FragmentList {
    const writer = new WireWriter();
    for (const message of messages) writer.data(FRAGMENTS_FIELD, message);
    const bytes = writer.finish();
    const starts: number[] = [];
    const reader = new WireReader(bytes, path);
    while (reader.next()) {
      starts.push(reader.tagStart);
      reader.skip();
    }
    return FragmentList.fromEntries(bytes, starts, bytes.length, path);
  }

  /**
   * The field entries of a manifest: entry i begins (with its tag) at `starts[i]` of `bytes` and ends where the next
   * one begins, the last one at `end`. The bytes are kept, not copied.
   * @throws CORRUPT
   */
  static fromEntries(bytes: Uint8Array, starts: readonly number[], end: number, path: string): FragmentList {
    if (starts.length === 0) return FragmentList.empty;
    if (starts.length > FRAGMENTS_MAX) {
      throw new TableError(
        "NOT_SUPPORTED",
        `${path} lists ${starts.length} fragments; at most ${FRAGMENTS_MAX} are supported. Compact the table.`,
        { details: { path, fragments: starts.length, fragmentsMax: FRAGMENTS_MAX } },
      );
    }
    const block = emptyBlock(bytes, path, starts.length);
    block.starts.set(starts);
    block.starts[starts.length] = end;
    scanBlock(block);
    return new FragmentList(runsOf([{ block, from: 0, to: starts.length }]));
  }

  /** The fragment at an index of this list. */
  at(index: number): Fragment {
    const run = this.runAt(index);
    return entryOf(run.block, run.from + index - run.first);
  }

  byId(id: number): Fragment | undefined {
    const index = this.indexOf(id);
    return index < 0 ? undefined : this.at(index);
  }

  /** Index of the fragment with this id, -1 when there is none. */
  indexOf(id: number): number {
    for (const { block, from, to, first } of this.runs) {
      if (id > block.ids[to - 1]!) continue;
      const entry = lowerBound(block.ids, id, from, to);
      return entry < to && block.ids[entry] === id ? first + entry - from : -1;
    }
    return -1;
  }

  /** All ids, ascending. */
  ids(): readonly number[] {
    if (this.cachedIds === undefined) {
      const ids: number[] = [];
      for (const { block, from, to } of this.runs) for (let i = from; i < to; i++) ids.push(block.ids[i]!);
      this.cachedIds = ids;
    }
    return this.cachedIds;
  }

  *[Symbol.iterator](): Iterator<Fragment> {
    for (const { block, from, to } of this.runs) for (let i = from; i < to; i++) yield entryOf(block, i);
  }

  /** This list and, behind it, `fragments`, whose ids are all above those of this list. */
  append(fragments: readonly Fragment[]): FragmentList {
    if (fragments.length === 0) return this;
    const block = encodeBlock([...fragments].sort((a, b) => a.id - b.id));
    const last = this.runs[this.runs.length - 1];
    assert(
      last === undefined || block.ids[0]! > last.block.ids[last.to - 1]!,
      "new fragment ids are above all old ones",
    );
    return new FragmentList(settle([...this.runs, { block, from: 0, to: fragments.length }]));
  }

  /** This list with some fragments changed (same id) or, where the change is null, removed. All ids are in this list. */
  replace(changes: ReadonlyMap<number, Fragment | null>): FragmentList {
    if (changes.size === 0) return this;
    const indices = [...changes.keys()].map((id) => this.indexOf(id)).sort((a, b) => a - b);
    assert(indices[0]! >= 0, "every changed fragment is in the list");
    const parts: Omit<Run, "first">[] = [];
    let next = 0;
    for (const run of this.runs) {
      let from = run.from;
      const pending: Fragment[] = [];
      const flush = () => {
        if (pending.length > 0) parts.push({ block: encodeBlock(pending), from: 0, to: pending.length });
        pending.length = 0;
      };
      for (; next < indices.length && indices[next]! < run.first + run.to - run.from; next++) {
        const entry = run.from + indices[next]! - run.first;
        if (entry > from) {
          flush();
          parts.push({ block: run.block, from, to: entry });
        }
        const change = changes.get(run.block.ids[entry]!);
        if (change) {
          assert(change.id === run.block.ids[entry], "a replaced fragment keeps its id");
          pending.push(change);
        }
        from = entry + 1;
      }
      flush();
      if (from < run.to) parts.push({ block: run.block, from, to: run.to });
    }
    return new FragmentList(settle(parts));
  }

  /** The manifest's field entries, tags included, in few large pieces. */
  chunks(): Uint8Array[] {
    return this.runs.map(chunkOf);
  }

  /** Rows that are not deleted. */
  rowCount(): number {
    return this.totals().rows;
  }

  /** Rows before deletion. */
  physicalRows(): number {
    return this.totals().physicalRows;
  }

  /** True when at least one fragment has a deletion file. */
  hasDeletions(): boolean {
    return this.totals().deletions;
  }

  private totals(): { readonly physicalRows: number; readonly rows: number; readonly deletions: boolean } {
    if (this.cachedTotals === undefined) {
      let physicalRows = 0;
      let deletedRows = 0;
      let deletions = 0;
      for (const { block, from, to } of this.runs) {
        for (let i = from; i < to; i++) {
          physicalRows += block.physicalRows[i]!;
          deletedRows += block.deletedRows[i]!;
          deletions |= block.hasDeletions[i]!;
        }
      }
      this.cachedTotals = { physicalRows, rows: physicalRows - deletedRows, deletions: deletions === 1 };
    }
    return this.cachedTotals;
  }

  private runAt(index: number): Run {
    assert(Number.isInteger(index) && index >= 0 && index < this.length, "a fragment's index is inside the list");
    return this.runs.findLast((run) => run.first <= index) as Run;
  }
}

function runsOf(parts: readonly Omit<Run, "first">[]): Run[] {
  let first = 0;
  return parts.map(({ block, from, to }) => {
    const run = { block, from, to, first };
    first += to - from;
    return run;
  });
}

/** Joins many runs into one, so that neither their number nor the work per change grows with the table's age. */
function settle(parts: readonly Omit<Run, "first">[]): Run[] {
  if (parts.length <= RUNS_MAX) return runsOf(parts);
  const count = parts.reduce((sum, { from, to }) => sum + to - from, 0);
  const block = emptyBlock(concat(parts.map(chunkOf)), parts[0]!.block.path, count);
  let entry = 0;
  let shift = 0;
  for (const { block: source, from, to } of parts) {
    shift -= source.starts[from]!;
    for (let i = from; i < to; i++) {
      block.starts[entry] = source.starts[i]! + shift;
      const decoded = source.decoded[i];
      if (decoded !== undefined) block.decoded[entry] = decoded;
      entry++;
    }
    shift += source.starts[to]!;
    block.ids.set(source.ids.subarray(from, to), entry - (to - from));
    block.physicalRows.set(source.physicalRows.subarray(from, to), entry - (to - from));
    block.deletedRows.set(source.deletedRows.subarray(from, to), entry - (to - from));
    block.hasDeletions.set(source.hasDeletions.subarray(from, to), entry - (to - from));
  }
  block.starts[count] = block.bytes.length;
  return runsOf([{ block, from: 0, to: count }]);
}

function chunkOf({ block, from, to }: Omit<Run, "first">): Uint8Array {
  return block.bytes.subarray(block.starts[from], block.starts[to]);
}

function lowerBound(values: Float64Array, wanted: number, from: number, to: number): number {
  let low = from;
  let high = to;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (values[middle]! < wanted) low = middle + 1;
    else high = middle;
  }
  return low;
}

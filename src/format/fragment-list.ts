/**
 * The fragments of one version, kept as the bytes of the manifest and decoded only where somebody looks.
 *
 * Immutable. Changed lists share the bytes and the decoded fragments of the list they come from, so that an append to
 * ten thousand fragments costs the append. Ids ascend strictly; a manifest whose ids do not is refused.
 */
import { assert, TableError } from "../support/errors.js";
import { type Fragment, readFragment, writeFragment } from "./fragment.js";
import { concat, corrupt, WireReader } from "./wire.js";
import { WireWriter } from "./wire-writer.js";

/** Number of the manifest's `fragments` field. */
export const FRAGMENTS_FIELD = 2;
/** A hard ceiling; compaction keeps tables far below. */
export const FRAGMENTS_MAX = 1_000_000;
/** More pieces than this are copied into one, which keeps lookups and encoding flat. */
const RUNS_MAX = 64;

/** Encoded fragments side by side, each with tag and length, and what is known of them without decoding. */
interface Block {
  readonly bytes: Uint8Array;
  readonly path: string;
  /** Where entry i begins; one more than there are entries. */
  readonly starts: Uint32Array;
  readonly ids: Float64Array;
  readonly physicalRows: Float64Array;
  readonly deletedRows: Float64Array;
  /** 1 where there is a deletion file. */
  readonly hasDeletions: Uint8Array;
  readonly decoded: (Fragment | undefined)[];
}

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

function emptyBlock(bytes: Uint8Array, path: string, count: number): Block {
  return {
    bytes,
    path,
    starts: new Uint32Array(count + 1),
    ids: new Float64Array(count),
    physicalRows: new Float64Array(count),
    deletedRows: new Float64Array(count),
    hasDeletions: new Uint8Array(count),
    decoded: [],
  };
}

function encodeBlock(fragments: readonly Fragment[]): Block {
  const writer = new WireWriter(128 * fragments.length);
  const starts: number[] = [];
  for (const fragment of fragments) {
    starts.push(writer.length);
    const start = writer.begin(FRAGMENTS_FIELD);
    writeFragment(writer, fragment);
    writer.commit(start);
  }
  const block = emptyBlock(writer.finish(), "a fragment of this process", fragments.length);
  for (const [i, fragment] of fragments.entries()) {
    assert(i === 0 || fragment.id > fragments[i - 1]!.id, "fragment ids of one list are all different");
    block.starts[i] = starts[i]!;
    block.ids[i] = fragment.id;
    block.physicalRows[i] = fragment.physicalRows;
    block.deletedRows[i] = fragment.deletionFile?.deletedRows ?? 0;
    block.hasDeletions[i] = fragment.deletionFile === undefined ? 0 : 1;
    block.decoded[i] = fragment;
  }
  block.starts[fragments.length] = block.bytes.length;
  return block;
}

/** Reads id and row counts of every entry, and steps over the rest. */
function scanBlock(block: Block): void {
  const { starts, ids } = block;
  const reader = new WireReader(block.bytes, block.path);
  for (let i = 0; i < ids.length; i++) {
    openEntry(reader, starts[i]!, starts[i + 1]!);
    while (reader.next()) {
      switch (reader.field) {
        case 1:
          ids[i] = reader.uint();
          break;
        case 3:
          block.hasDeletions[i] = 1;
          block.deletedRows[i] = scanDeletionFile(reader);
          break;
        case 4:
          block.physicalRows[i] = reader.uint();
          break;
        default:
          reader.skip();
      }
    }
    if (i > 0 && ids[i]! <= ids[i - 1]!) throw corrupt(block.path, starts[i]!, "fragment ids do not ascend");
    if (block.deletedRows[i]! > block.physicalRows[i]!) {
      throw corrupt(block.path, starts[i]!, `fragment ${ids[i]} has more deleted rows than rows`);
    }
  }
}

function scanDeletionFile(reader: WireReader): number {
  const inner = reader.message();
  let deletedRows = 0;
  while (inner.next()) {
    if (inner.field === 4) deletedRows = inner.uint();
    else inner.skip();
  }
  return deletedRows;
}

function entryOf(block: Block, entry: number): Fragment {
  const known = block.decoded[entry];
  if (known !== undefined) return known;
  const reader = new WireReader(block.bytes, block.path);
  openEntry(reader, block.starts[entry]!, block.starts[entry + 1]!);
  const fragment = readFragment(reader);
  block.decoded[entry] = fragment;
  return fragment;
}

/** Places the reader on the message inside a field entry. */
function openEntry(reader: WireReader, start: number, end: number): void {
  reader.pos = start;
  reader.end = end;
  reader.next();
  reader.end = reader.delimitedEnd();
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

/**
 * Which rows of a fragment are gone: an immutable set of row offsets, ascending in one typed array.
 *
 * Offsets are 0-based and count physical rows.
 */

export class DeletionVector {
  static readonly empty = new DeletionVector(new Uint32Array());

  private readonly offsets: Uint32Array;

  /** Use `of`; `offsets` ascend without duplicates and belong to the vector. */
  private constructor(offsets: Uint32Array) {
    this.offsets = offsets;
  }

  /** A vector of these offsets, in any order, duplicates allowed; the input is copied. */
  static of(offsets: Iterable<number> | Uint32Array): DeletionVector {
    const sorted = Uint32Array.from(offsets);
    if (!ascends(sorted)) sorted.sort();
    const unique = dropRepeats(sorted);
    return unique.length === 0 ? DeletionVector.empty : new DeletionVector(unique);
  }

  get size(): number {
    return this.offsets.length;
  }

  /** What it holds in memory. */
  get sizeBytes(): number {
    return this.offsets.byteLength;
  }

  has(offset: number): boolean {
    return this.offsets[lowerBound(this.offsets, offset)] === offset;
  }

  union(other: DeletionVector): DeletionVector {
    if (other.size === 0) return this;
    if (this.size === 0) return other;
    return new DeletionVector(merge(this.offsets, other.offsets));
  }

  /** True when a row is in both. */
  intersects(other: DeletionVector): boolean {
    const [few, many] = this.size < other.size ? [this.offsets, other.offsets] : [other.offsets, this.offsets];
    let at = 0;
    for (const offset of few) {
      at = lowerBound(many, offset, at);
      if (at === many.length) return false;
      if (many[at] === offset) return true;
    }
    return false;
  }

  /** The offsets in ascending order, a copy. */
  toArray(): Uint32Array<ArrayBuffer> {
    return new Uint32Array(this.offsets);
  }

  /** How many of the rows [start, end) are deleted. */
  countIn(start: number, end: number): number {
    return lowerBound(this.offsets, end) - lowerBound(this.offsets, start);
  }

  /** The rows of [start, end) that are not deleted, ascending. */
  liveOffsets(start: number, end: number): Uint32Array<ArrayBuffer> {
    return complement(this.offsets, start, end);
  }
}

function ascends(values: Uint32Array): boolean {
  for (let i = 1; i < values.length; i++) if (values[i]! < values[i - 1]!) return false;
  return true;
}

/** The distinct ones of ascending values. */
function dropRepeats(values: Uint32Array): Uint32Array {
  let kept = Math.min(1, values.length);
  for (let i = 1; i < values.length; i++) if (values[i] !== values[i - 1]) values[kept++] = values[i]!;
  return kept === values.length ? values : values.slice(0, kept);
}

function lowerBound(values: Uint32Array, wanted: number, from = 0): number {
  let low = from;
  let high = values.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (values[middle]! < wanted) low = middle + 1;
    else high = middle;
  }
  return low;
}

function merge(a: Uint32Array, b: Uint32Array): Uint32Array {
  const merged = new Uint32Array(a.length + b.length);
  let i = 0;
  let j = 0;
  let length = 0;
  while (i < a.length && j < b.length) {
    const left = a[i]!;
    const right = b[j]!;
    if (left <= right) i++;
    if (right <= left) j++;
    merged[length++] = Math.min(left, right);
  }
  while (i < a.length) merged[length++] = a[i++]!;
  while (j < b.length) merged[length++] = b[j++]!;
  return length === merged.length ? merged : merged.slice(0, length);
}

function complement(values: Uint32Array, start: number, end: number): Uint32Array<ArrayBuffer> {
  const from = lowerBound(values, start);
  const to = lowerBound(values, end, from);
  const live = new Uint32Array(Math.max(0, end - start) - (to - from));
  let length = 0;
  let next = start;
  for (let i = from; i < to; i++) {
    const gone = values[i]!;
    while (next < gone) live[length++] = next++;
    next = gone + 1;
  }
  while (next < end) live[length++] = next++;
  return live;
}

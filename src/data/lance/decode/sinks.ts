/**
 * Where decoded values go, whatever their shape: the sinks of flat-sinks.ts, and lists of a fixed size, packed structs
 * and nulls over them.
 */
import { damaged } from "./damage.js";
import { BitSink, type BytesSink, type FixedSink, type Ranges, rangesLength } from "./flat-sinks.js";

export type ValueSink = FixedSink | BitSink | BytesSink | ListSink | StructSink | NullSink;

/** Fixed-size lists: `size` values of the child each. */
export class ListSink {
  readonly kind = "fixed-list";
  readonly size: number;
  readonly child: ValueSink;
  /** Validity of the child's values; absent while all are valid. */
  validity: BitSink | undefined;
  length = 0;

  constructor(size: number, child: ValueSink) {
    this.size = size;
    this.child = child;
  }

  /** Appends validity of the next `count` lists' values; without bits they are all valid. */
  appendValidity(bits: Uint8Array | undefined, from: number, count: number): void {
    const values = count * this.size;
    if (bits === undefined) {
      if (this.validity !== undefined) setTail(this.validity, values);
      return;
    }
    if (this.validity === undefined) {
      this.validity = new BitSink((this.length + count) * this.size);
      setTail(this.validity, this.length * this.size);
    }
    this.validity.append(bits, from, values);
  }

  appendEmpty(count: number): void {
    this.appendValidity(undefined, 0, count);
    this.child.appendEmpty(count * this.size);
    this.length += count;
  }

  keep(from: number, ranges: Ranges): void {
    const scaled = ranges.map((row) => row * this.size);
    this.child.keep(from * this.size, scaled);
    this.validity?.keep(from * this.size, scaled);
    this.length = from + rangesLength(ranges);
  }

  gather(source: ListSink, indices: ArrayLike<number>, count: number): void {
    const wide = new Uint32Array(count * this.size);
    for (let i = 0, to = 0; i < count; i++) {
      for (let j = 0; j < this.size; j++) wide[to++] = indices[i]! * this.size + j;
    }
    if (source.validity !== undefined) {
      const bits = new BitSink(wide.length);
      bits.gather(source.validity, wide, wide.length);
      this.appendValidity(bits.bytes, 0, count);
    } else this.appendValidity(undefined, 0, count);
    gatherInto(this.child, source.child, wide, wide.length);
    this.length += count;
  }
}

function setTail(bits: BitSink, count: number): void {
  const at = bits.extend(count);
  for (let i = at; i < at + count; i++) bits.bytes[i >>> 3] = bits.bytes[i >>> 3]! | (1 << (i & 7));
}

/** Packed structs: children side by side, without validity of their own. */
export class StructSink {
  readonly kind = "struct";
  readonly children: readonly ValueSink[];
  length = 0;

  constructor(children: readonly ValueSink[]) {
    this.children = children;
  }

  appendEmpty(count: number): void {
    for (const child of this.children) child.appendEmpty(count);
    this.length += count;
  }

  keep(from: number, ranges: Ranges): void {
    for (const child of this.children) child.keep(from, ranges);
    this.length = from + rangesLength(ranges);
  }

  gather(source: StructSink, indices: ArrayLike<number>, count: number): void {
    this.children.forEach((child, i) => {
      gatherInto(child, source.children[i]!, indices, count);
    });
    this.length += count;
  }
}

/** Columns of type null: a count. */
export class NullSink {
  readonly kind = "null";
  length = 0;

  appendEmpty(count: number): void {
    this.length += count;
  }

  keep(from: number, ranges: Ranges): void {
    this.length = from + rangesLength(ranges);
  }
}

/** Appends the values of `source` at the indices, which are checked. Both sinks have the same shape. */
export function gatherInto(sink: ValueSink, source: ValueSink, indices: ArrayLike<number>, count: number): void {
  if (sink.kind === "fixed" && source.kind === "fixed") sink.gather(source, indices, count);
  else if (sink.kind === "bits" && source.kind === "bits") sink.gather(source, indices, count);
  else if (sink.kind === "bytes" && source.kind === "bytes") sink.gather(source, indices, count);
  else if (sink.kind === "fixed-list" && source.kind === "fixed-list") sink.gather(source, indices, count);
  else if (sink.kind === "struct" && source.kind === "struct") sink.gather(source, indices, count);
  else if (sink.kind === "null" && source.kind === "null") sink.appendEmpty(count);
  else damaged(`${source.kind} items stand for ${sink.kind} values`);
}

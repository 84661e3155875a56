/**
 * Decodes text that a table of up to 255 symbols of one to eight bytes has shortened (FSST).
 *
 * Code 255 stands before a literal byte; every other code is a symbol. Specification: lance-format.md 10.6.
 */
import { damaged } from "./damage.js";
import type { BytesSink } from "./flat-sinks.js";

const MAGIC = 0x46535354;
const ESCAPE = 255;
const SYMBOL_MAX_BYTES = 8;

export interface SymbolTable {
  /** False: the values are stored as they are. */
  readonly active: boolean;
  readonly low: Int32Array;
  readonly high: Int32Array;
  readonly lengths: Uint8Array;
}

/** @throws CORRUPT when the bytes are no symbol table */
export function decodeSymbolTable(bytes: Uint8Array): SymbolTable {
  if (bytes.byteLength < 8) damaged("an FSST symbol table is cut short");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(4, true) !== MAGIC) damaged("an FSST symbol table does not begin as one");
  const info = view.getUint32(0, true);
  const symbols = info & 255;
  if (bytes.byteLength < 8 + symbols * 9) damaged("an FSST symbol table is cut short");
  const table = {
    active: (info & (1 << 24)) !== 0,
    low: new Int32Array(256),
    high: new Int32Array(256),
    lengths: new Uint8Array(256),
  };
  for (let i = 0; i < symbols; i++) {
    table.low[i] = view.getInt32(8 + i * 8, true);
    table.high[i] = view.getInt32(12 + i * 8, true);
    const length = bytes[8 + symbols * 8 + i]!;
    if (length === 0 || length > SYMBOL_MAX_BYTES) damaged(`an FSST symbol has ${length} bytes`);
    table.lengths[i] = length;
  }
  return table;
}

/**
 * Appends `count` values; value i is decoded from bytes [ends[i], ends[i + 1]) of `source`, positions that the caller
 * has checked.
 */
export function decodeFsst(
  table: SymbolTable,
  source: Uint8Array,
  ends: ArrayLike<number>,
  count: number,
  sink: BytesSink,
): void {
  const first = ends[0]!;
  const size = ends[count]! - first;
  // The widest store may run eight bytes past the end of what is decoded.
  sink.reserveBytes(size * SYMBOL_MAX_BYTES + SYMBOL_MAX_BYTES);
  sink.reserveValues(count);
  const out = new DataView(sink.bytes.buffer, sink.bytes.byteOffset, sink.bytes.byteLength);
  decodeValues(table, source, ends, count, out, sink.used, sink.offsets, sink.length + 1);
  sink.length += count;
}

function decodeValues(
  table: SymbolTable,
  source: Uint8Array,
  ends: ArrayLike<number>,
  count: number,
  out: DataView,
  start: number,
  offsets: Int32Array,
  firstOffset: number,
): void {
  const { low, high, lengths } = table;
  let to = start;
  let at = ends[0]!;
  for (let i = 0; i < count; i++) {
    const end = ends[i + 1]!;
    while (at < end) {
      const code = source[at++]!;
      if (code !== ESCAPE) {
        const length = lengths[code]!;
        out.setInt32(to, low[code]!, true);
        if (length > 4) out.setInt32(to + 4, high[code]!, true);
        to += length;
      } else {
        if (at >= end) damaged("an FSST value ends in an escape");
        out.setUint8(to++, source[at++]!);
      }
    }
    offsets[firstOffset + i] = to;
  }
}

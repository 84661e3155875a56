/**
 * The full-zip layout: every value beside its levels, so that one value can be read alone (FullZipLayout).
 *
 * Fixed-width values without levels are the input's own bytes, which makes this the layout for writing and scanning
 * without a copy.
 */
import { assert } from "../../../support/errors.js";
import { copyBits } from "../../kernels/bits.js";
import type { FixedColumn, VariableColumn, VectorColumn } from "./column.js";
import { fixedSizeList, flat, fullZipLayout, type Message, variable } from "./describe.js";
import type { PageLevels } from "./mini-block.js";
import type { PageBuffer } from "./page.js";

type FixedValues = FixedColumn | VectorColumn;

interface Zip {
  readonly layout: Message;
  readonly buffers: PageBuffer[];
}

/** Fixed-width values whose bits are whole bytes. */
export function encodeFixedFullZip(column: FixedValues, levels: PageLevels, rows: number): Zip {
  const control = controlOf(levels);
  const width = valueBytes(column);
  const layout = fullZipLayout({
    repBits: control.repBits,
    defBits: control.defBits,
    width: { valueBits: width * 8 },
    items: control.count ?? column.length,
    visibleItems: column.length,
    values: describeValues(column),
    layers: levels.layers,
  });
  const plain = plainBytes(column);
  if (control.bytes === 0 && plain) return { layout, buffers: [[plain]] };
  const count = control.count ?? column.length;
  const out = new Uint8Array(count * control.bytes + column.length * width);
  const index = levels.rep && new Float64Array(rows + 1);
  let at = 0;
  let value = 0;
  let row = 0;
  for (let i = 0; i < count; i++) {
    if (index && levels.rep![i] === levels.maxRep) index[row++] = at;
    at = writeControl(control, levels, i, out, at);
    if (levels.def && levels.def[i]! > levels.maxVisibleDef) continue;
    if (plain) out.set(plain.subarray(value * width, (value + 1) * width), at);
    else writeValue(column, value, out, at);
    value++;
    at += width;
  }
  assert(at === out.length && value === column.length, "every visible value of a full-zip page is written once");
  if (!index) return { layout, buffers: [[out]] };
  index[rows] = at;
  return { layout, buffers: [[out], [packOffsets(index, at)]] };
}

/** Text and bytes: a length before each value, and the offset of each row. */
export function encodeVariableFullZip(column: VariableColumn, levels: PageLevels, rows: number): Zip {
  const control = controlOf(levels);
  const { offsets, bytes, offsetWidth } = column;
  const count = control.count ?? column.length;
  const total = offsets[column.length]! - offsets[0]!;
  const out = new Uint8Array(count * control.bytes + column.length * offsetWidth + total);
  const lengths = new DataView(out.buffer);
  const index = new Float64Array(rows + 1);
  let at = 0;
  let value = 0;
  let row = 0;
  for (let i = 0; i < count; i++) {
    if (!levels.rep || levels.rep[i] === levels.maxRep) index[row++] = at;
    at = writeControl(control, levels, i, out, at);
    const def = levels.def ? levels.def[i]! : 0;
    if (def > levels.maxVisibleDef) continue;
    if (def === 0) {
      const start = offsets[value]!;
      const end = offsets[value + 1]!;
      lengths.setUint32(at, end - start, true);
      at += offsetWidth;
      out.set(bytes.subarray(start, end), at);
      at += end - start;
    }
    value++;
  }
  index[rows] = at;
  const layout = fullZipLayout({
    repBits: control.repBits,
    defBits: control.defBits,
    width: { offsetBits: offsetWidth * 8 },
    items: count,
    visibleItems: column.length,
    values: variable(offsetWidth * 8),
    layers: levels.layers,
  });
  return { layout, buffers: [[out.subarray(0, at)], [packOffsets(index, at)]] };
}

interface Control {
  readonly repBits: number;
  readonly defBits: number;
  /** Bytes before each item. */
  readonly bytes: 0 | 1 | 2 | 4;
  /** Number of levels; undefined when there are none. */
  readonly count: number | undefined;
}

function controlOf(levels: PageLevels): Control {
  const repBits = levels.rep ? bitsFor(levels.maxRep) : 0;
  const defBits = levels.def ? bitsFor(levels.maxDef) : 0;
  const bits = repBits + defBits;
  const bytes = bits === 0 ? 0 : bits <= 8 ? 1 : bits <= 16 ? 2 : 4;
  return { repBits, defBits, bytes, count: levels.rep?.length ?? levels.def?.length };
}

const bitsFor = (max: number) => 32 - Math.clz32(max);

function writeControl(control: Control, levels: PageLevels, index: number, out: Uint8Array, at: number): number {
  if (control.bytes === 0) return at;
  let word = ((levels.rep ? levels.rep[index]! : 0) << control.defBits) | (levels.def ? levels.def[index]! : 0);
  for (let i = 0; i < control.bytes; i++, word >>>= 8) out[at + i] = word & 0xff;
  return at + control.bytes;
}

/** Bytes of one value, item bitmaps included. */
export function valueBytes(column: FixedValues): number {
  if (column.kind === "fixed") return column.width;
  const { items, dimension } = column;
  assert(items.kind !== "bit", "vectors of booleans are not zipped");
  const bitmap = items.validity ? (dimension + 7) >> 3 : 0;
  return bitmap + dimension * valueBytes(items);
}

function describeValues(column: FixedValues): Message {
  if (column.kind === "fixed") return flat(column.width * 8);
  const { items, dimension } = column;
  assert(items.kind !== "bit", "vectors of booleans are not zipped");
  return fixedSizeList(dimension, describeValues(items), items.validity !== undefined);
}

/** The column's own bytes when they already are the page's; undefined when item bitmaps lie between them. */
function plainBytes(column: FixedValues): Uint8Array | undefined {
  if (column.kind === "fixed") return column.bytes;
  const { items } = column;
  return items.kind === "bit" || items.validity ? undefined : plainBytes(items);
}

function writeValue(column: FixedValues, index: number, out: Uint8Array, start: number): void {
  if (column.kind === "fixed") {
    out.set(column.bytes.subarray(index * column.width, (index + 1) * column.width), start);
    return;
  }
  const { items, dimension } = column;
  assert(items.kind !== "bit", "vectors of booleans are not zipped");
  let at = start;
  if (items.validity) {
    const { bytes, offset } = items.validity;
    copyBits(bytes, offset + index * dimension, out, at * 8, dimension);
    at += (dimension + 7) >> 3;
  }
  const width = valueBytes(items);
  for (let i = 0; i < dimension; i++, at += width) writeValue(items, index * dimension + i, out, at);
}

/** Offsets in the smallest of 1, 2, 4 or 8 bytes that holds the largest. */
function packOffsets(offsets: Float64Array, max: number): Uint8Array {
  if (max <= 0xff) return Uint8Array.from(offsets);
  if (max <= 0xffff) return new Uint8Array(Uint16Array.from(offsets).buffer);
  return new Uint8Array(Uint32Array.from(offsets).buffer);
}

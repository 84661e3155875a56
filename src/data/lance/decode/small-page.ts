/**
 * Where the values of a column's only page lie in a small file that is in memory as a whole, when the page is one that
 * needs no decoding: one value for all rows, NULL for all rows, plain values, or one chunk of text or of booleans.
 *
 * Reads the column's metadata once, front to back. Undefined for every other page; positions are within the file.
 * Specification: lance-format.md 8.2 to 8.4.
 */
import { WireReader } from "../../../format/wire.js";

export type SmallPage =
  | { readonly kind: "null" }
  /** The bytes of the one value begin at `start`. */
  | { readonly kind: "constant"; readonly start: number }
  /** Values side by side from `start` on. */
  | { readonly kind: "plain"; readonly start: number }
  /** One bit per value from byte `start` on. */
  | { readonly kind: "bits"; readonly start: number }
  /** Value i is bytes [ends[i], ends[i + 1]) of the file. */
  | { readonly kind: "text"; readonly ends: Uint32Array };

export interface SmallColumn {
  readonly rows: number;
  readonly holds: "plain" | "bits" | "text";
  /** Bytes of a plain value. */
  readonly width: number;
}

const TYPE_URL = new TextEncoder().encode("/lance.encodings21.PageLayout");
const ALL_VALID_ITEM = 1;
const NULLABLE_ITEM = 3;

/** Buffers of a page. */
interface Buffers {
  readonly starts: number[];
  readonly sizes: number[];
}

/** The page of the column whose metadata is `bytes` [start, end). @throws CORRUPT, RangeError */
export function locatePage(bytes: Uint8Array, start: number, end: number, column: SmallColumn): SmallPage | undefined {
  if (!(start <= end && end <= bytes.byteLength)) return undefined;
  const metadata = new WireReader(bytes, "", start, end);
  let page: WireReader | undefined;
  while (metadata.next()) {
    if (metadata.field === 2) {
      if (page !== undefined) return undefined;
      page = metadata.message();
    } else metadata.skip();
  }
  return page === undefined ? undefined : readPage(page, column);
}

function readPage(page: WireReader, column: SmallColumn): SmallPage | undefined {
  const buffers: Buffers = { starts: [], sizes: [] };
  let rows = 0;
  let layout: WireReader | undefined;
  while (page.next()) {
    if (page.field === 1) page.uints(buffers.starts);
    else if (page.field === 2) page.uints(buffers.sizes);
    else if (page.field === 3) rows = page.uint();
    else if (page.field === 4) layout = layoutIn(page.message());
    else page.skip();
  }
  if (rows !== column.rows || layout === undefined || !layout.next()) return undefined;
  for (let i = 0; i < buffers.starts.length; i++) {
    if (!(buffers.starts[i]! + buffers.sizes[i]! <= page.bytes.byteLength)) return undefined;
  }
  switch (layout.field) {
    case 1:
      return chunkPage(layout.message(), buffers, column);
    case 2:
      return constantPage(layout.message(), column);
    case 3:
      return zippedPage(layout.message(), buffers, column);
    default:
      return undefined;
  }
}

/** The layout inside of Encoding { direct { Any } }. */
function layoutIn(encoding: WireReader): WireReader | undefined {
  const direct = only(encoding, 2);
  const any = direct && only(direct, 1);
  if (any === undefined) return undefined;
  let isLayout = false;
  let layout: WireReader | undefined;
  while (any.next()) {
    if (any.field === 1) isLayout = isTypeUrl(any.view());
    else if (any.field === 2) layout = any.message();
    else any.skip();
  }
  return isLayout ? layout : undefined;
}

function isTypeUrl(bytes: Uint8Array): boolean {
  if (bytes.length !== TYPE_URL.length) return false;
  for (let i = 0; i < bytes.length; i++) if (bytes[i] !== TYPE_URL[i]) return false;
  return true;
}

/** The message in the only field there is, if it is this one. */
function only(reader: WireReader, field: number): WireReader | undefined {
  if (!reader.next() || reader.field !== field) return undefined;
  const inner = reader.message();
  return reader.next() ? undefined : inner;
}

function constantPage(layout: WireReader, { holds, width }: SmallColumn): SmallPage | undefined {
  const layers: number[] = [];
  let start = 0;
  let size = -1;
  while (layout.next()) {
    if (layout.field === 5) layout.uints(layers);
    else if (layout.field === 6) {
      const value = layout.view();
      start = layout.pos - value.length;
      size = value.length;
    } else return undefined;
  }
  if (size < 0) return isOnly(layers, NULLABLE_ITEM) ? { kind: "null" } : undefined;
  return isOnly(layers, ALL_VALID_ITEM) && holds === "plain" && size === width
    ? { kind: "constant", start }
    : undefined;
}

function isOnly(layers: readonly number[], layer: number): boolean {
  return layers.length === 1 && layers[0] === layer;
}

/** Values of fixed width without levels are the page's bytes. */
function zippedPage(layout: WireReader, buffers: Buffers, { rows, holds, width }: SmallColumn): SmallPage | undefined {
  const layers: number[] = [];
  let bits = 0;
  let items = 0;
  while (layout.next()) {
    switch (layout.field) {
      case 3:
        bits = layout.uint();
        break;
      case 5:
        items = layout.uint();
        break;
      case 6:
      case 7:
        layout.skip();
        break;
      case 8:
        layout.uints(layers);
        break;
      default:
        return undefined;
    }
  }
  const fits = bits === width * 8 && items === rows && buffers.sizes[0] === rows * width;
  if (holds !== "plain" || !fits || buffers.starts.length !== 1 || !isOnly(layers, ALL_VALID_ITEM)) return undefined;
  return { kind: "plain", start: buffers.starts[0]! };
}

/** One chunk without levels: of text with offsets of 32 bits, or of booleans. */
function chunkPage(layout: WireReader, buffers: Buffers, { rows, holds }: SmallColumn): SmallPage | undefined {
  const layers: number[] = [];
  let isKnown = false;
  let isWide = false;
  let items = 0;
  while (layout.next()) {
    switch (layout.field) {
      case 3:
        isKnown = holds === "text" ? isNarrowText(layout.message()) : holds === "bits" && isFlat(layout.message(), 1);
        break;
      case 6:
        layout.uints(layers);
        break;
      case 7:
        if (layout.uint() !== 1) return undefined;
        break;
      case 9:
        items = layout.uint();
        break;
      case 10:
        isWide = layout.uint() !== 0;
        break;
      default:
        return undefined;
    }
  }
  const [words, data] = buffers.starts;
  if (!isKnown || items !== rows || !isOnly(layers, ALL_VALID_ITEM)) return undefined;
  if (buffers.starts.length !== 2 || words === undefined || data === undefined) return undefined;
  if (buffers.sizes[0] !== (isWide ? 4 : 2)) return undefined;
  const view = new DataView(layout.bytes.buffer, layout.bytes.byteOffset, layout.bytes.byteLength);
  const start = data + HEADER_BYTES;
  const size = isWide ? view.getUint32(data + 2, true) : view.getUint16(data + 2, true);
  if (start + size > data + buffers.sizes[1]!) return undefined;
  if (holds === "text") return text(view, start, size, rows);
  return size * 8 >= rows ? { kind: "bits", start } : undefined;
}

/** Variable { offsets: Flat { 32 bits } }, nothing of it compressed. */
function isNarrowText(encoding: WireReader): boolean {
  const variable = only(encoding, 2);
  const offsets = variable && only(variable, 1);
  return offsets !== undefined && isFlat(offsets, 32);
}

function isFlat(encoding: WireReader, bits: number): boolean {
  const flat = only(encoding, 1);
  return flat?.next() === true && flat.field === 1 && flat.uint() === bits && !flat.next();
}

/** Header of a chunk: number of levels, size of the values; padded to 8 bytes. */
const HEADER_BYTES = 8;

/** Offsets from `start` on, then the text that they cut, all in `size` bytes. */
function text(view: DataView, start: number, size: number, rows: number): SmallPage | undefined {
  if ((rows + 1) * 4 > size) return undefined;
  const ends = new Uint32Array(rows + 1);
  let previous = 0;
  for (let i = 0; i <= rows; i++) {
    const at = view.getUint32(start + i * 4, true);
    if (at < previous || at > size) return undefined;
    ends[i] = start + at;
    previous = at;
  }
  return { kind: "text", ends };
}

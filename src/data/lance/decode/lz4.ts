/** Decodes LZ4 blocks (not frames). Specification: lz4_Block_format of the LZ4 project. */
import { DECODED_MAX_BYTES, damaged } from "./damage.js";

/** One byte of length extension stands for at most 255 decoded bytes. */
const RATIO_MAX = 255;

/**
 * Decodes a block that is preceded by the length of its content as u32.
 * @throws CORRUPT when the block is cut short, points before its start or holds another length
 */
export function decodeLz4(source: Uint8Array): Uint8Array<ArrayBuffer> {
  if (source.byteLength < 4) damaged("an LZ4 block is cut short");
  const size = new DataView(source.buffer, source.byteOffset).getUint32(0, true);
  if (size > DECODED_MAX_BYTES || size > source.byteLength * RATIO_MAX) damaged(`an LZ4 block claims ${size} bytes`);
  const out = new Uint8Array(size);
  let at = 4;
  let to = 0;
  while (at < source.byteLength) {
    const token = source[at++]!;
    let literals = token >>> 4;
    if (literals === 15) {
      let more: number;
      do {
        if (at >= source.byteLength) damaged("an LZ4 block is cut short");
        more = source[at++]!;
        literals += more;
      } while (more === 255);
    }
    if (at + literals > source.byteLength || to + literals > size) damaged("an LZ4 block holds more than it claims");
    for (let i = 0; i < literals; i++) out[to++] = source[at++]!;
    if (at === source.byteLength) break;
    if (at + 2 > source.byteLength) damaged("an LZ4 block is cut short");
    const distance = source[at]! | (source[at + 1]! << 8);
    at += 2;
    let length = (token & 15) + 4;
    if (length === 19) {
      let more: number;
      do {
        if (at >= source.byteLength) damaged("an LZ4 block is cut short");
        more = source[at++]!;
        length += more;
      } while (more === 255);
    }
    if (distance === 0 || distance > to || to + length > size) damaged("an LZ4 block points outside itself");
    for (let from = to - distance, i = 0; i < length; i++) out[to++] = out[from++]!;
  }
  if (to !== size) damaged(`an LZ4 block claims ${size} bytes and holds ${to}`);
  return out;
}

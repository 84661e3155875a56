/**
 * Sets of u32 in the portable Roaring format, at the byte boundary only: in memory they are sorted arrays.
 *
 * Memory of the WASM library is given back before each function returns.
 * Format: RoaringFormatSpec, cookies 12346 and 12347.
 */
import { RoaringBitmap32 } from "roaring-wasm";
import { corrupt } from "./wire.js";

/** @param values ascending, without duplicates */
export function encodeRoaring(values: Uint32Array): Uint8Array<ArrayBuffer> {
  const bitmap = new RoaringBitmap32(values);
  try {
    return new Uint8Array(bitmap.serialize("portable"));
  } finally {
    bitmap.dispose();
  }
}

/**
 * The values in ascending order.
 * @param below every value must be less; bounds the memory that a few hostile bytes can ask for
 * @throws CORRUPT
 */
export function decodeRoaring(bytes: Uint8Array, path: string, below: number): Uint32Array<ArrayBuffer> {
  let bitmap: RoaringBitmap32;
  try {
    bitmap = RoaringBitmap32.deserialize(bytes, "portable");
  } catch (cause) {
    throw corrupt(path, 0, "it is no Roaring bitmap", cause);
  }
  try {
    // The library takes an empty buffer for an empty set, and stops reading where the set ends.
    if (bitmap.getSerializationSizeInBytes("portable") !== bytes.length) {
      throw corrupt(path, 0, "a Roaring bitmap does not fill its place");
    }
    if (bitmap.isEmpty) return new Uint32Array();
    // The library trusts the counts and the order inside the containers; both are checked here.
    if (bitmap.size > below || bitmap.maximum() >= below) throw corrupt(path, 0, `a value is not below ${below}`);
    const values = new Uint32Array(bitmap.toUint32Array());
    if (!ascends(values) || values[values.length - 1]! >= below) {
      throw corrupt(path, 0, "the values of a Roaring bitmap do not ascend");
    }
    return values;
  } finally {
    bitmap.dispose();
  }
}

function ascends(values: Uint32Array): boolean {
  for (let i = 1; i < values.length; i++) if (values[i]! <= values[i - 1]!) return false;
  return true;
}

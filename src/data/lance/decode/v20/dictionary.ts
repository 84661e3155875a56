/**
 * Dictionary encoding of data files 2.0. Text that the writer chose to encode counts items from 1 and 0 is NULL; columns
 * of Arrow's dictionary type count from 0 and a null item stands for NULL.
 */
import type { Dictionary } from "../../../../format/protos/encodings20_pb.js";
import { bitmapBytes } from "../../../kernels/bits.js";
import type { ByteReader } from "../byte-reader.js";
import { damaged, unknownEncoding } from "../damage.js";
import { type Ranges, rangesLength } from "../flat-sinks.js";
import type { Shape } from "../shape.js";
import { sinkFor } from "../shape.js";
import { gatherInto, type ValueSink } from "../sinks.js";
import type { ArrayContext, ArrayDecoder, ArrayPart } from "./context.js";
import { decodeIntegers, integerBits } from "./integers.js";

const ITEMS_MAX = 2 ** 24;

interface Items {
  readonly values: ValueSink;
  readonly validity: Uint8Array | undefined;
}

export function dictionaryDecoder(
  encoding: Dictionary,
  shape: Shape,
  rows: number,
  context: ArrayContext,
): ArrayDecoder {
  const count = encoding.numDictionaryItems;
  if (count > ITEMS_MAX) damaged(`a dictionary claims ${count} items`);
  const bits = integerBits(encoding.indices);
  if (bits > 32) return unknownEncoding(`dictionary indices of ${bits} bits`);
  const indices = context.decoder(encoding.indices, { kind: "fixed", width: bits / 8 }, rows);
  const items = context.decoder(encoding.items, shape, count);
  let loaded: Promise<Items> | undefined;
  const open = (reader: ByteReader): Promise<Items> => {
    loaded ??= loadItems(items, count, shape, reader).catch((error: unknown) => {
      loaded = undefined;
      throw error;
    });
    return loaded;
  };
  return {
    async load(ranges, reader) {
      const [dictionary, part] = await Promise.all([open(reader), indices.load(ranges, reader)]);
      return toPart(dictionary, part, bits / 8, ranges, context.isDictionary ? 0 : 1);
    },
  };
}

async function loadItems(items: ArrayDecoder, count: number, shape: Shape, reader: ByteReader): Promise<Items> {
  const values = sinkFor(shape, 0);
  if (count === 0) return { values, validity: undefined };
  const part = await items.load([0, count], reader);
  part.append(values);
  return { values, validity: part.validity };
}

/** @param first the index of the first item; what lies below is NULL */
function toPart(dictionary: Items, part: ArrayPart, width: number, ranges: Ranges, first: number): ArrayPart {
  const count = rangesLength(ranges);
  const indices = decodeIntegers(part, width, count);
  const validity = new Uint8Array(bitmapBytes(count)).fill(255);
  let nulls = 0;
  for (let i = 0; i < count; i++) {
    const item = indices[i]! - first;
    const isNull = item < 0 || isClear(dictionary.validity, item) || isClear(part.validity, i);
    if (isNull) {
      validity[i >>> 3] = validity[i >>> 3]! & ~(1 << (i & 7));
      nulls++;
    } else if (item >= dictionary.values.length) damaged(`index ${item} lies outside the dictionary`);
    // One item more than there are: NULLs become an empty one.
    indices[i] = isNull ? 0xffffffff : item;
  }
  return {
    validity: nulls === 0 ? undefined : validity,
    append: (sink) => appendItems(sink, dictionary.values, indices),
  };
}

function isClear(bits: Uint8Array | undefined, at: number): boolean {
  return bits !== undefined && at < bits.byteLength * 8 && ((bits[at >>> 3]! >>> (at & 7)) & 1) === 0;
}

/** Gathers stretches of values and leaves a slot for each NULL. */
function appendItems(sink: ValueSink, items: ValueSink, indices: Uint32Array): void {
  for (let i = 0; i < indices.length; ) {
    let end = i;
    const isNull = indices[i] === 0xffffffff;
    while (end < indices.length && (indices[end] === 0xffffffff) === isNull) end++;
    if (isNull) sink.appendEmpty(end - i);
    else gatherInto(sink, items, indices.subarray(i, end), end - i);
    i = end;
  }
}

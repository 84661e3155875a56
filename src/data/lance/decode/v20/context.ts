/**
 * What the decoders of 2.0 arrays share: the contract of a decoder, and where it finds its buffers.
 */
import type { ArrayEncoding, Buffer as BufferReference } from "../../../../format/protos/encodings20_pb.js";
import type { ColumnInfo, PageInfo } from "../../container.js";
import type { ByteReader } from "../byte-reader.js";
import { damaged, unknownEncoding } from "../damage.js";
import type { Ranges } from "../flat-sinks.js";
import type { Shape } from "../shape.js";
import type { ValueSink } from "../sinks.js";
import { openBuffer, type StoredBuffer } from "./buffer.js";

/** Values of some rows, read and ready to be appended. */
export interface ArrayPart {
  /** A bit per row, set when it is valid; absent when all are. */
  readonly validity: Uint8Array | undefined;
  append(sink: ValueSink): void;
}

export interface ArrayDecoder {
  /** Reads the rows in `ranges`, which are ascending and not empty. */
  load(ranges: Ranges, reader: ByteReader): Promise<ArrayPart>;
}

/** Where an encoding finds its buffers, and what it decodes. */
export interface ArrayPlace {
  readonly page: PageInfo;
  readonly column: ColumnInfo;
  /** The column is of Arrow's dictionary type: indices count from 0 and a null item stands for NULL. */
  readonly isDictionary: boolean;
}

export interface ArrayContext extends ArrayPlace {
  /** The decoder of an encoding inside of another. */
  readonly decoder: (encoding: ArrayEncoding | undefined, shape: Shape, rows: number) => ArrayDecoder;
}

/** @throws CORRUPT when the page has no such buffer, NOT_SUPPORTED naming another compression */
export function bufferOf(
  reference: BufferReference | undefined,
  scheme: string | undefined,
  { page, column }: ArrayPlace,
): StoredBuffer {
  const index = reference?.bufferIndex ?? 0;
  const kind = reference?.bufferType ?? 0;
  if (kind > 1) unknownEncoding("a buffer shared by the whole file");
  const extent = (kind === 0 ? page.buffers : column.buffers)[index];
  if (extent === undefined) damaged(`buffer ${index} is missing`);
  return openBuffer(extent, scheme);
}

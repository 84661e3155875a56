/** The codecs by data format. Parquet's WebAssembly is loaded with its first use, not with this file. */
import { TableError } from "../support/errors.js";
import { arrowCodec } from "./arrow/codec.js";
import type { DataFormat, FragmentCodec } from "./codec.js";
import { lanceCodec } from "./lance/codec.js";
import { parquetCodec } from "./parquet/codec.js";

/** All codecs that this version has. */
export const CODECS: readonly FragmentCodec[] = [arrowCodec, lanceCodec, parquetCodec];

/** The codec of a table's data format. @throws NOT_SUPPORTED for one that this version does not have */
export function codecFor(dataFormat: DataFormat): FragmentCodec {
  const codec = CODECS.find((one) => one.dataFormat === dataFormat);
  if (codec !== undefined) return codec;
  const known = CODECS.map((one) => one.dataFormat).join(", ");
  throw new TableError("NOT_SUPPORTED", `The data format ${dataFormat} is not supported; use one of: ${known}.`, {
    details: { dataFormat },
  });
}

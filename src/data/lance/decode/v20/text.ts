/**
 * Text and binary of data files 2.0: a table of end positions, to which NULLs add a constant, and the bytes.
 */
import type { Binary, Fsst } from "../../../../format/protos/encodings20_pb.js";
import { bitmapBytes } from "../../../kernels/bits.js";
import type { ByteReader } from "../byte-reader.js";
import { damaged, unknownEncoding } from "../damage.js";
import { type Ranges, rangesLength } from "../flat-sinks.js";
import { decodeFsst, decodeSymbolTable } from "../fsst.js";
import type { Shape } from "../shape.js";
import type { ValueSink } from "../sinks.js";
import type { StoredBuffer } from "./buffer.js";
import { type ArrayContext, type ArrayDecoder, type ArrayPart, bufferOf } from "./context.js";
import { type EndTable, endTable } from "./ends.js";

interface TextBuffers {
  readonly ends: EndTable;
  readonly bytes: StoredBuffer;
}

/** Bytes of some values: value i of part p is `part.bytes[ends[i] - ends[0] ...]`. */
interface TextPart {
  readonly bytes: Uint8Array;
  /** One more than values, relative to `bytes`. */
  readonly ends: Uint32Array;
}

function openText(encoding: Binary, rows: number, context: ArrayContext): TextBuffers {
  const bytes = encoding.bytes?.arrayEncoding;
  if (bytes?.case !== "flat" || bytes.value.bitsPerValue !== 8n) return unknownEncoding("text over anything but bytes");
  return {
    ends: endTable(encoding.indices, encoding.nullAdjustment, rows, context),
    bytes: bufferOf(bytes.value.buffer, bytes.value.compression?.scheme, context),
  };
}

async function loadText(
  { ends, bytes }: TextBuffers,
  ranges: Ranges,
  reader: ByteReader,
): Promise<{ readonly parts: readonly TextPart[]; readonly validity: Uint8Array | undefined }> {
  const runs = await ends.load(ranges, reader);
  const extents = runs.flatMap((run) => [run.ends[0]!, run.ends.at(-1)!]);
  const slices = await bytes.read(extents, reader);
  const parts = runs.map((run, i) => {
    const first = run.ends[0]!;
    const slice = slices[i]!;
    if (run.ends.at(-1)! - first > slice.byteLength) damaged("text is cut short");
    return { bytes: slice, ends: Uint32Array.from(run.ends, (end) => end - first) };
  });
  if (runs.every((run) => run.nulls.length === 0)) return { parts, validity: undefined };
  const validity = new Uint8Array(bitmapBytes(rangesLength(ranges))).fill(255);
  let row = 0;
  for (const run of runs) {
    for (const at of run.nulls) validity[(row + at) >>> 3] = validity[(row + at) >>> 3]! & ~(1 << ((row + at) & 7));
    row += run.ends.length - 1;
  }
  return { parts, validity };
}

function textDecoder(buffers: TextBuffers, append: (part: TextPart, sink: ValueSink) => void): ArrayDecoder {
  return {
    async load(ranges, reader): Promise<ArrayPart> {
      const { parts, validity } = await loadText(buffers, ranges, reader);
      return {
        validity,
        append(sink) {
          for (const part of parts) append(part, sink);
        },
      };
    },
  };
}

export function binaryDecoder(encoding: Binary, shape: Shape, rows: number, context: ArrayContext): ArrayDecoder {
  requireText(shape);
  return textDecoder(openText(encoding, rows, context), ({ bytes, ends }, sink) => {
    if (sink.kind !== "bytes") return;
    const count = ends.length - 1;
    sink.reserveValues(count);
    sink.reserveBytes(ends[count]!);
    sink.bytes.set(bytes.subarray(0, ends[count]!), sink.used);
    const shift = sink.used;
    for (let i = 1; i <= count; i++) sink.offsets[sink.length + i] = shift + ends[i]!;
    sink.length += count;
  });
}

export function fsstDecoder(encoding: Fsst, shape: Shape, rows: number, context: ArrayContext): ArrayDecoder {
  requireText(shape);
  const inner = encoding.binary?.arrayEncoding;
  if (inner?.case !== "binary") return unknownEncoding(`FSST over ${inner?.case ?? "nothing"}`);
  const table = decodeSymbolTable(encoding.symbolTable);
  if (!table.active) return binaryDecoder(inner.value, shape, rows, context);
  return textDecoder(openText(inner.value, rows, context), ({ bytes, ends }, sink) => {
    if (sink.kind === "bytes") decodeFsst(table, bytes, ends, ends.length - 1, sink);
  });
}

function requireText(shape: Shape): void {
  if (shape.kind !== "bytes") damaged(`text stands for a value of kind ${shape.kind}`);
}

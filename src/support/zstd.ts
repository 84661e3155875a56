/**
 * Decompression of zstd frames: by Node where it can (22.15 and later), else by a WASM build of the library.
 *
 * Refuses a frame before anything is allocated for it when it announces more than the caller allows.
 * Format: RFC 8878.
 */
import * as zlib from "node:zlib";
import { TableError } from "./errors.js";

const FRAME_MAGIC = 0xfd2fb528;

type DecompressSync = (bytes: Uint8Array, options: { readonly maxOutputLength: number }) => Uint8Array;
const inNode = (zlib as { readonly zstdDecompressSync?: DecompressSync }).zstdDecompressSync;

/**
 * The content of one frame.
 * @param maxBytes the most that the content may have
 * @throws CORRUPT when the frame is damaged or its content is larger
 */
export async function zstdDecompress(bytes: Uint8Array, maxBytes: number): Promise<Uint8Array<ArrayBuffer>> {
  const announced = announcedBytes(bytes);
  if (announced === undefined) throw damaged("it has no frame header");
  if (announced > maxBytes) throw damaged(`it announces ${announced} bytes where at most ${maxBytes} may come`);
  try {
    const content = await decompress(bytes, maxBytes);
    if (content.length > maxBytes) throw damaged(`it holds more than ${maxBytes} bytes`);
    return new Uint8Array(content);
  } catch (cause) {
    throw damaged("it cannot be decompressed", cause);
  }
}

async function decompress(bytes: Uint8Array, maxBytes: number): Promise<Uint8Array> {
  // Node refuses a limit of zero.
  if (inNode !== undefined) return inNode(bytes, { maxOutputLength: Math.max(1, maxBytes) });
  const { decompress: decode } = await library();
  return decode(bytes, { defaultHeapSize: Math.max(1, maxBytes) });
}

let loading: Promise<typeof import("@bokuweb/zstd-wasm")> | undefined;

function library(): Promise<typeof import("@bokuweb/zstd-wasm")> {
  loading ??= import("@bokuweb/zstd-wasm").then(async (module) => {
    await module.init();
    return module;
  });
  return loading;
}

/** What a frame's header says about the size of its content: 0 when it does not say, undefined when it is no header. */
function announcedBytes(bytes: Uint8Array): number | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 5 || view.getUint32(0, true) !== FRAME_MAGIC) return undefined;
  const descriptor = view.getUint8(4);
  const singleSegment = (descriptor & 0x20) !== 0;
  const dictionaryBytes = [0, 1, 2, 4][descriptor & 3] as number;
  const sizeBytes = [singleSegment ? 1 : 0, 2, 4, 8][descriptor >> 6] as number;
  const at = 5 + (singleSegment ? 0 : 1) + dictionaryBytes;
  if (at + sizeBytes > bytes.length) return undefined;
  switch (sizeBytes) {
    case 0:
      return 0;
    case 1:
      return view.getUint8(at);
    case 2:
      return view.getUint16(at, true) + 256;
    case 4:
      return view.getUint32(at, true);
    default:
      return Number(view.getBigUint64(at, true));
  }
}

function damaged(problem: string, cause?: unknown): TableError {
  return new TableError("CORRUPT", `A zstd frame is damaged: ${problem}. Restore the file from a backup.`, {
    details: { problem },
    ...(cause === undefined ? {} : { cause }),
  });
}

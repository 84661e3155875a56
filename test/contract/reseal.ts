/** Files with the checksums that their bytes have now, as somebody who wants to be believed would write them. */
import { encodeChecksums } from "../../src/data/checksums.js";

/** `footerBytes` tells the length of the format's footer; bytes without a checksum section come back unchanged. */
export function reseal(bytes: Uint8Array, footerBytes: (file: DataView) => number): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const footerStart = bytes.byteLength - footerBytes(view);
  if (!(footerStart >= 24 && footerStart < bytes.byteLength)) return bytes;
  const sectionStart = footerStart - view.getUint32(footerStart - 12, true);
  if (sectionStart < 0 || sectionStart > footerStart) return bytes;
  const footer = bytes.subarray(footerStart);
  const data = bytes.subarray(0, sectionStart);
  return new Uint8Array(Buffer.concat([data, encodeChecksums([data], footer), footer]));
}

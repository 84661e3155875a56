/**
 * The file that says which version was the newest when somebody last looked: a hint, never the truth.
 *
 * Format: lance-format table specification, "latest_version_hint.json".
 */
const HINT_BYTES_MAX = 1024;

/** Content of the hint file. */
export function encodeHint(version: number): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(JSON.stringify({ version }));
}

/** The version that a hint names; undefined for whatever else the file holds. */
export function decodeHint(bytes: Uint8Array): number | undefined {
  if (bytes.length > HINT_BYTES_MAX) return undefined;
  try {
    const { version } = JSON.parse(new TextDecoder().decode(bytes)) as { readonly version?: unknown };
    return typeof version === "number" && Number.isSafeInteger(version) && version > 0 ? version : undefined;
  } catch {
    return undefined;
  }
}

/**
 * What a caller says of a commit: text by name, kept in the properties of the transaction, where every reader of the
 * format finds it. Names that begin with `joust.` or `lance.` belong to programs and are refused.
 */
import { TableError } from "../support/errors.js";

export type CommitMetadata = Readonly<Record<string, string>>;

const RESERVED = /^(joust|lance)\./;
const ENTRIES_MAX = 64;
const BYTES_MAX = 16 * 1024;

/** The properties for a transaction; undefined when nothing was said. @throws INVALID_ARGUMENT */
export function checkMetadata(metadata: CommitMetadata | undefined): ReadonlyMap<string, string> | undefined {
  if (metadata === undefined) return undefined;
  if (typeof metadata !== "object" || metadata === null || Array.isArray(metadata)) {
    throw invalid('metadata is an object of text by name, for example { author: "me" }.');
  }
  const entries = Object.entries(metadata);
  let bytes = 0;
  for (const [name, value] of entries) {
    if (typeof value !== "string") throw invalid(`metadata.${name} is no text. Use String() or JSON.stringify().`);
    if (name === "" || RESERVED.test(name)) {
      throw invalid(
        `metadata cannot have the name ${JSON.stringify(name)}: it is empty, or begins with joust. or lance.`,
      );
    }
    bytes += Buffer.byteLength(name) + Buffer.byteLength(value);
  }
  if (entries.length > ENTRIES_MAX || bytes > BYTES_MAX) {
    throw invalid(
      `metadata has ${entries.length} entries of ${bytes} bytes; ${ENTRIES_MAX} and ${BYTES_MAX} are allowed.`,
    );
  }
  return entries.length === 0 ? undefined : new Map(entries);
}

/** What the writer of a transaction said, out of its properties. */
export function metadataOf(properties: ReadonlyMap<string, string>): CommitMetadata {
  return Object.fromEntries([...properties].filter(([name]) => !RESERVED.test(name)));
}

function invalid(sentence: string): TableError {
  return new TableError("INVALID_ARGUMENT", sentence);
}

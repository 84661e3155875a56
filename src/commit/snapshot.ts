/**
 * A version in memory: immutable, shared by everybody who reads it. What is held of it, and by whom, is the lease's.
 *
 * Swapping the head never changes a snapshot that somebody holds (read-copy-update).
 */
import type { Manifest } from "../format/manifest.js";
import { schemaFromFields, type TableSchema } from "../format/schema.js";
import { assert } from "../support/errors.js";
import type { Head } from "./head.js";

export class Snapshot {
  readonly head: Head;
  readonly manifest: Manifest;
  #schema: TableSchema | undefined;

  constructor(head: Head, manifest: Manifest, schema?: TableSchema) {
    assert(head.version === manifest.version, "a snapshot's manifest has the version of its name");
    this.head = head;
    this.manifest = manifest;
    this.#schema = schema;
  }

  get version(): number {
    return this.manifest.version;
  }

  /** The schema with field ids; made once. @throws NOT_SUPPORTED for a type that this package does not know */
  get schema(): TableSchema {
    this.#schema ??= schemaFromFields(this.manifest.fields, this.manifest.schemaMetadata);
    return this.#schema;
  }
}

/** A version in use, that nothing removes before it is released. */
export interface Hold {
  readonly snapshot: Snapshot;
  /** Calling it twice is the same as once. */
  readonly release: () => void;
}

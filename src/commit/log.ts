/**
 * The version log: the only file that creates a version, and the one that reads them.
 *
 * A version is the name of its manifest. Creating the name by compare-and-swap is the commit. Names up to the retired
 * boundary were used and removed by a vacuum; they are never created again.
 */

import { decodeDeletionVector } from "../format/deletion-file.js";
import type { DeletionVector } from "../format/deletion-vector.js";
import type { Fragment } from "../format/fragment.js";
import { deletionPath, manifestPath, TRANSACTIONS } from "../format/layout.js";
import { decodeMadeBy, decodeManifest, type MadeBy, type Manifest } from "../format/manifest.js";
import { decodeTransaction, type Transaction } from "../format/transaction.js";
import type { Chunks, ObjectStore, StagedObject } from "../store/contract.js";
import { isTableError, TableError } from "../support/errors.js";
import { type BoundaryMemo, retiredUpTo } from "./boundary.js";

export type NamingScheme = "v1" | "v2";

/** A version's manifest that has everything but its name. */
export interface StagedVersion {
  readonly version: number;
  readonly object: StagedObject;
}

/** Writes the manifest of `version` under a temporary name. */
export async function stageVersion(
  store: ObjectStore,
  target: { readonly version: number; readonly scheme: NamingScheme },
  chunks: Chunks,
  durable: boolean,
): Promise<StagedVersion> {
  const object = await store.stage(manifestPath(target.version, target.scheme), chunks, { durable });
  return { version: target.version, object };
}

/** What else has to hold between the making of the temporary and the link; false: the staged files may be gone. */
export type Guard = (boundary: BoundaryMemo) => Promise<boolean>;

/**
 * Creates the version, if its name is free and above the retired boundary. This is the commit.
 * @returns created; exists: the name is taken; fenced: a vacuum passed this version number; expelled: a vacuum took
 * this writer for dead, so that what it staged may be gone
 * @param named called as soon as others see the version
 * @throws UNKNOWN_OUTCOME
 */
export async function publishVersion(
  store: ObjectStore,
  staged: StagedVersion,
  memo: BoundaryMemo,
  guard: Guard = async () => true,
  named?: () => void,
): Promise<"created" | "exists" | "fenced" | "expelled"> {
  const fenced = staged.version <= (await retiredUpTo(store, memo));
  if (!fenced && (await guard(memo))) return staged.object.publish(named);
  await staged.object.discard();
  return fenced ? "fenced" : "expelled";
}

/**
 * The manifest of one version; undefined when the version does not exist (any more).
 * @throws CORRUPT naming file and offset
 */
export function readManifest(store: ObjectStore, version: number, scheme: NamingScheme): Promise<Manifest | undefined> {
  return readVersion(store, version, scheme, decodeManifest);
}

/**
 * What made one version, without the rest of its manifest; undefined when the version does not exist (any more).
 * @throws CORRUPT naming file and offset
 */
export function readMadeBy(store: ObjectStore, version: number, scheme: NamingScheme): Promise<MadeBy | undefined> {
  return readVersion(store, version, scheme, decodeMadeBy);
}

async function readVersion<M extends MadeBy>(
  store: ObjectStore,
  version: number,
  scheme: NamingScheme,
  decode: (bytes: Uint8Array, path: string) => M,
): Promise<M | undefined> {
  const path = manifestPath(version, scheme);
  let bytes: Uint8Array;
  try {
    bytes = await store.get(path);
  } catch (error) {
    if (isTableError(error, "NOT_FOUND")) return undefined;
    throw error;
  }
  const decoded = decode(bytes, path);
  if (decoded.version !== version) {
    throw new TableError(
      "CORRUPT",
      `${store.display}/${path} says that it is version ${decoded.version}; its name says ${version}. Was the file copied or renamed?`,
      { details: { path, offset: 0, version } },
    );
  }
  return decoded;
}

/** The transaction that made a version: inline in its manifest, or in a file; undefined when there is none. */
export async function readTransaction(store: ObjectStore, manifest: MadeBy): Promise<Transaction | undefined> {
  if (manifest.transaction !== undefined) {
    return decodeTransaction(manifest.transaction, `version ${manifest.version} (inline transaction)`);
  }
  if (manifest.transactionFile === "") return undefined;
  const path = `${TRANSACTIONS}/${manifest.transactionFile}`;
  try {
    return decodeTransaction(await store.get(path), path);
  } catch (error) {
    if (isTableError(error, "NOT_FOUND")) return undefined;
    throw error;
  }
}

/** The rows of a fragment that are gone. @throws SNAPSHOT_EXPIRED when a cleanup removed the file */
export async function readDeletions(store: ObjectStore, fragment: Fragment): Promise<DeletionVector | undefined> {
  const file = fragment.deletionFile;
  if (file === undefined) return undefined;
  const path = deletionPath(fragment.id, file);
  try {
    return await decodeDeletionVector(await store.get(path), file.kind, path, fragment.physicalRows);
  } catch (error) {
    if (!isTableError(error, "NOT_FOUND")) throw error;
    throw new TableError(
      "SNAPSHOT_EXPIRED",
      `${store.display}/${path} is gone: a cleanup removed it. Read the table again at its newest version.`,
      { details: { path }, cause: error },
    );
  }
}

/**
 * What one manifest says, checked against itself: ids, columns, flags, row ids. No file is looked at.
 */
import { FLAG_DELETION_FILES, FLAG_OTHER_DATA_FORMAT, FLAG_STABLE_ROW_IDS, requiredFlags } from "../format/flags.js";
import type { Fragment, SequenceLocation } from "../format/fragment.js";
import type { Manifest } from "../format/manifest.js";
import { hasManifestChecksum } from "../format/manifest-file.js";
import { decodeRowIdSequence, decodeVersionSequence, expandRowIds, expandVersions } from "../format/row-ids.js";
import { schemaFromFields, type TableSchema } from "../format/schema.js";
import { isTableError } from "../support/errors.js";
import { type Finding, type FindingId, finding } from "./findings.js";

/** A version that could be read. */
export interface ReadVersion {
  readonly table: string;
  readonly version: number;
  /** Of its manifest. */
  readonly path: string;
  readonly manifest: Manifest;
}

const RESTORE_OLDER = "Restore the manifest from a backup, or call restore() with a version that is intact.";
const BOTH_WORDS = FLAG_DELETION_FILES | FLAG_OTHER_DATA_FORMAT;

/** Everything that is wrong inside one manifest. `bytes` are those of its file. */
export function checkManifest(of: ReadVersion, bytes: Uint8Array): Finding[] {
  const found: Finding[] = [];
  const add = (id: FindingId, message: string, fix?: string) =>
    found.push(finding(of.table, id, message, { path: of.path, version: of.version, fix }));
  const { manifest } = of;
  if (manifest.version !== of.version) {
    add(
      "J004-manifest-renamed",
      `${of.path} says that it is version ${manifest.version}, its name says ${of.version}: it was copied or renamed.`,
      "Put the file that belongs under this name back from a backup.",
    );
  }
  if (manifest.writerVersion?.library === "joust" && !hasManifestChecksum(bytes)) {
    add(
      "J018-checksum-missing",
      `${of.path} was written by this package and has no checksum: it was changed since.`,
      RESTORE_OLDER,
    );
  }
  const flags = requiredFlags(manifest);
  const missing = (flags.readerFlags & ~manifest.readerFlags) | (flags.writerFlags & ~manifest.writerFlags);
  if ((missing & BOTH_WORDS) !== 0n) {
    add(
      "J015-flags-wrong",
      `Version ${of.version} does not set feature flags 0x${missing.toString(16)}, which it needs.`,
    );
  }
  checkNames(manifest, add);
  checkIds(manifest, add);
  return found;
}

type Add = (id: FindingId, message: string, fix?: string) => void;

function checkNames(manifest: Manifest, add: Add): void {
  const names = new Set<string>();
  for (const { name, parentId } of manifest.fields) {
    if (parentId !== -1) continue;
    if (names.has(name)) add("J014-schema-damaged", `Two columns of version ${manifest.version} are named ${name}.`);
    names.add(name);
  }
}

function checkIds(manifest: Manifest, add: Add): void {
  const highest = manifest.fragments.ids().at(-1);
  if (highest === undefined || (manifest.maxFragmentId ?? -1) >= highest) return;
  add(
    "J012-fragment-ids",
    `Version ${manifest.version} has fragment ${highest}, above the highest id ${manifest.maxFragmentId ?? "(none)"} that it ` +
      "says was ever used: a later fragment could get the same id.",
  );
}

/** The schema of a version; a finding when its fields make none. */
export function checkSchema(of: ReadVersion): TableSchema | Finding {
  try {
    const schema = schemaFromFields(of.manifest.fields, of.manifest.schemaMetadata);
    return schema;
  } catch (error) {
    const id = isTableError(error, "NOT_SUPPORTED") ? "J005-not-supported" : "J014-schema-damaged";
    return finding(of.table, id, messageOf(error), { path: of.path, version: of.version });
  }
}

/** The fragments that can be decoded, and a finding for each that cannot. */
export function checkFragments(of: ReadVersion): { readonly fragments: Fragment[]; readonly found: Finding[] } {
  const fragments: Fragment[] = [];
  const found: Finding[] = [];
  const { table, version, path, manifest } = of;
  for (let i = 0; i < manifest.fragments.length; i++) {
    try {
      fragments.push(manifest.fragments.at(i));
    } catch (error) {
      found.push(finding(table, damageOf(error), messageOf(error), { path, version, fix: RESTORE_OLDER }));
    }
  }
  const live = new Set(manifest.fields.map(({ id }) => id));
  const stable = (manifest.readerFlags & FLAG_STABLE_ROW_IDS) !== 0n;
  for (const fragment of fragments) {
    for (const problem of columnProblems(fragment, live)) {
      found.push(finding(table, "J014-schema-damaged", problem, { path, version, fix: RESTORE_OLDER }));
    }
    const problem = stable ? rowIdProblem(fragment, manifest.nextRowId) : undefined;
    if (problem !== undefined) {
      found.push(finding(table, "J016-row-ids-damaged", problem, { path, version, fix: RESTORE_OLDER }));
    }
  }
  return { fragments, found };
}

function* columnProblems(fragment: Fragment, live: ReadonlySet<number>): Generator<string> {
  const held = new Set<number>();
  if (fragment.files.length === 0) yield `Fragment ${fragment.id} has no data file.`;
  for (const { path, fields, columnIndices } of fragment.files) {
    if (columnIndices.length !== 0 && columnIndices.length !== fields.length) {
      yield `Data file ${path} of fragment ${fragment.id} has ${fields.length} fields and ${columnIndices.length} columns.`;
    }
    for (const id of fields) {
      if (!live.has(id)) continue;
      if (held.has(id)) yield `Field ${id} of fragment ${fragment.id} lies in two places, the second is ${path}.`;
      held.add(id);
    }
  }
}

function rowIdProblem(fragment: Fragment, nextRowId: bigint): string | undefined {
  const { id, physicalRows: rows, rowIds } = fragment;
  if (rowIds === undefined) return `Fragment ${id} has no row ids, although the table's are stable.`;
  try {
    if (rowIds.kind === "inline") {
      const ids = expandRowIds(decodeRowIdSequence(rowIds.bytes, "the sequence"), "the sequence", rows);
      const highest = ids.reduce((max, one) => Math.max(max, one), -1);
      if (BigInt(highest) >= nextRowId)
        return `Fragment ${id} has row id ${highest}; the next one to give is ${nextRowId}.`;
    }
    checkVersions(fragment.createdVersions, rows);
    checkVersions(fragment.lastUpdatedVersions, rows);
    return undefined;
  } catch (error) {
    return `The row ids or row versions of fragment ${id} are damaged: ${messageOf(error)}`;
  }
}

function checkVersions(sequence: SequenceLocation | undefined, rows: number): void {
  if (sequence?.kind !== "inline") return;
  expandVersions(decodeVersionSequence(sequence.bytes, "the sequence"), "the sequence", rows);
}

/** What the damage of a manifest is to be called. */
export function damageOf(error: unknown): FindingId {
  if (isTableError(error, "NOT_SUPPORTED")) return "J005-not-supported";
  const outside = isTableError(error, "CORRUPT") && /outside the table/.test(String(error.details.problem));
  return outside ? "J013-path-outside" : "J002-manifest-unreadable";
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

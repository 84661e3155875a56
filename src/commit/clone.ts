/**
 * The first manifest of a branch: the version that it is forked from, with every file said to lie in the directory of
 * the line that it came from. No file is copied.
 *
 * Source: lance-format table specification, "Branches" and "Shallow clone".
 */
import { FLAG_BASE_PATHS, requiredFlags } from "../format/flags.js";
import type { Fragment } from "../format/fragment.js";
import { FragmentList } from "../format/fragment-list.js";
import { decodeIndexSection, encodeIndexSection, withBase } from "../format/index-section.js";
import type { Manifest } from "../format/manifest.js";
import type { BasePath } from "../format/manifest-parts.js";
import { timestampOf, WRITER } from "./next-manifest.js";

export interface CloneContext {
  readonly nowMs: number;
  readonly branch: string;
  /** The branch that it is forked from; undefined: the main line. */
  readonly parentBranch: string | undefined;
  /** The directory of the line that it is forked from, absolute. */
  readonly parentPath: string;
  readonly transaction: Uint8Array;
}

/** The manifest has the number of the version that it is forked from. */
export function cloneManifest(parent: Manifest, context: CloneContext): Manifest {
  const { basePaths } = parent;
  const id = basePaths.reduce((max, base) => Math.max(max, base.id), -1) + 1;
  const base: BasePath = {
    id,
    isDatasetRoot: true,
    path: context.parentPath,
    ...(context.parentBranch === undefined ? {} : { name: context.parentBranch }),
  };
  const { indexSection } = parent;
  const manifest: Manifest = {
    ...parent,
    fragments: FragmentList.from([...parent.fragments].map((fragment) => inheritedFragment(fragment, id))),
    timestamp: timestampOf(context.nowMs),
    readerFlags: parent.readerFlags | FLAG_BASE_PATHS,
    writerFlags: parent.writerFlags | FLAG_BASE_PATHS,
    transactionFile: "",
    transaction: context.transaction,
    writerVersion: WRITER,
    basePaths: [base, ...basePaths],
    branch: context.branch,
    tag: "",
    ...(indexSection === undefined ? {} : { indexSection: inheritedIndices(indexSection, id) }),
  };
  return { ...manifest, ...requiredFlags(manifest) };
}

/** What lies elsewhere already stays where it is. */
function inheritedFragment(fragment: Fragment, base: number): Fragment {
  const { deletionFile } = fragment;
  return {
    ...fragment,
    files: fragment.files.map((file) => ({ ...file, baseId: file.baseId ?? base })),
    ...(deletionFile === undefined ? {} : { deletionFile: { ...deletionFile, baseId: deletionFile.baseId ?? base } }),
  };
}

function inheritedIndices(bytes: Uint8Array, base: number): Uint8Array {
  const section = decodeIndexSection(bytes, "the index section of the version that is forked from");
  return encodeIndexSection({ ...section, entries: section.entries.map((entry) => withBase(entry, base)) });
}

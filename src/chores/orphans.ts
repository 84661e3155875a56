/**
 * The files of a table that a vacuum may remove if no version needs them, and what their names tell of their makers.
 *
 * Everything else in the table's directory is left alone.
 */
import type { FileMark } from "../format/file-marks.js";
import { markOfDataFile, markOfDeletionFile } from "../format/file-marks.js";
import { DATA, DELETIONS, INDICES, REFS_BRANCHES, REFS_TAGS, TRANSACTIONS, VERSIONS } from "../format/layout.js";
import type { ListEntry, ObjectStore } from "../store/contract.js";
import { joinPath, temporaryTarget } from "../store/paths.js";

export interface Candidate {
  readonly path: string;
  readonly kind: "object" | "directory";
  /**
   * - marked: a holder of ours made it.
   * - perhaps: its name holds a number that may be a mark or chance.
   * - foreign: it is not known who made it.
   * - rest: what an interrupted removal left; nobody uses it.
   */
  readonly maker: "marked" | "perhaps" | "foreign" | "rest";
  readonly mark: FileMark | undefined;
}

const DATA_FILE = /\.(?:lance|arrow|parquet)$/;
const DELETION_FILE = /\.(?:arrow|bin)$/;
const TRANSACTION_FILE = /\.txn$/;
const INDEX = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
/** Temporaries of native writers, and of ours outside `_versions`. */
const TEMPORARY = /^\.tmp/;

type Judge = (entry: ListEntry) => Pick<Candidate, "maker" | "mark"> | undefined;

const FOREIGN = { maker: "foreign", mark: undefined } as const;

const JUDGES: Readonly<Record<string, Judge>> = {
  [DATA]({ name, kind }) {
    if (kind !== "object" || !DATA_FILE.test(name)) return undefined;
    const mark = markOfDataFile(name);
    return mark === undefined ? FOREIGN : { maker: "marked", mark };
  },
  [DELETIONS]({ name, kind }) {
    if (kind !== "object" || !DELETION_FILE.test(name)) return undefined;
    const mark = markOfDeletionFile(name);
    return mark === undefined ? FOREIGN : { maker: "perhaps", mark };
  },
  [TRANSACTIONS]: ({ name, kind }) => (kind === "object" && TRANSACTION_FILE.test(name) ? FOREIGN : undefined),
  [INDICES]({ name, kind }) {
    if (kind !== "directory") return undefined;
    if (temporaryTarget(name) !== undefined) return { maker: "rest", mark: undefined };
    return INDEX.test(name) ? FOREIGN : undefined;
  },
  [VERSIONS]: ({ name, kind }) =>
    kind === "object" && TEMPORARY.test(name) && temporaryTarget(name) === undefined ? FOREIGN : undefined,
  [REFS_TAGS]: ({ name, kind }) => (kind === "object" && TEMPORARY.test(name) ? FOREIGN : undefined),
  [REFS_BRANCHES]: ({ name, kind }) => (kind === "object" && TEMPORARY.test(name) ? FOREIGN : undefined),
};

/** Every candidate that is there now. To be called before leases and versions are looked at. */
export async function listCandidates(store: ObjectStore): Promise<readonly Candidate[]> {
  const found: Candidate[] = [];
  for (const [directory, judge] of Object.entries(JUDGES)) {
    for (const entry of await store.list(directory)) {
      const judged = judge(entry);
      if (judged !== undefined) found.push({ path: joinPath(directory, entry.name), kind: entry.kind, ...judged });
    }
  }
  return found;
}

/**
 * What can be wrong with a table: one entry for each sort of finding, with a name that never changes its meaning.
 *
 * Programs branch on `id` and `severity`; `invariant` is the promise of docs/invariants.md that is broken, and
 * docs/doctor.md says of each what to do.
 */

/** error: something acknowledged cannot be read. warning: it can, but a promise is weaker. info: nothing is at risk. */
export type Severity = "info" | "warning" | "error";

const KINDS = {
  "J001-head-unreadable": ["error", "I12"],
  "J002-manifest-unreadable": ["error", "I12"],
  "J003-version-gap": ["error", "I3"],
  "J004-manifest-renamed": ["error", "I3"],
  "J005-not-supported": ["warning", "I12"],
  "J006-transaction-missing": ["warning", "I9"],
  "J007-file-missing": ["error", "I7"],
  "J008-file-size": ["error", "I7"],
  "J009-file-damaged": ["error", "I12"],
  "J010-row-count": ["error", "I7"],
  "J011-deletions-damaged": ["error", "I7"],
  "J012-fragment-ids": ["error", "I7"],
  "J013-path-outside": ["error", "I13"],
  "J014-schema-damaged": ["error", "I7"],
  "J015-flags-wrong": ["error", "I12"],
  "J016-row-ids-damaged": ["error", "I7"],
  "J017-transaction-twice": ["error", "I9"],
  "J018-checksum-missing": ["warning", "I12"],
  "J019-transaction-damaged": ["error", "I9"],
  "J020-no-version": ["warning", "I3"],
  "J021-hint-wrong": ["warning", "I3"],
  "J022-hint-behind": ["info", "I3"],
  "J023-reference-unreadable": ["error", "I12"],
  "J024-reference-dangling": ["error", "I8"],
  "J025-boundary-unreadable": ["error", "I8"],
  "J026-temporary-left": ["info", "I10"],
  "J027-drop-unfinished": ["info", "I10"],
  "J028-files-unreferenced": ["info", "I10"],
  "J029-name-unknown": ["info", "I3"],
  "J030-file-elsewhere": ["info", "I13"],
} as const satisfies Record<string, readonly [Severity, `I${number}`]>;

export type FindingId = keyof typeof KINDS;

/** Every id, in the order of the documentation. */
export const FINDING_IDS = Object.keys(KINDS) as readonly FindingId[];

export interface Finding {
  readonly id: FindingId;
  readonly severity: Severity;
  /** The promise that is broken, as numbered in docs/invariants.md. */
  readonly invariant: string;
  readonly table: string;
  /** Relative to the table's directory; for an unfinished drop, to the database. */
  readonly path?: string;
  /** The newest version that is affected. */
  readonly version?: number;
  readonly message: string;
  /** What to do. */
  readonly fix?: string;
}

export interface FindingPlace {
  readonly path?: string | undefined;
  readonly version?: number | undefined;
  readonly fix?: string | undefined;
}

export function finding(table: string, id: FindingId, message: string, place: FindingPlace = {}): Finding {
  const [severity, invariant] = KINDS[id];
  const { path, version, fix } = place;
  return {
    id,
    severity,
    invariant,
    table,
    ...(path === undefined ? {} : { path }),
    ...(version === undefined ? {} : { version }),
    message,
    ...(fix === undefined ? {} : { fix }),
  };
}

const RANKS: readonly Severity[] = ["info", "warning", "error"];

/** True when `severity` is `least` or graver. */
export function isAtLeast(severity: Severity, least: Severity): boolean {
  return RANKS.indexOf(severity) >= RANKS.indexOf(least);
}

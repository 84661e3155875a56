/**
 * The look after the link and before the acknowledgement: is the version that was just created part of the table?
 *
 * A link that went through the fence (boundary, then temporary still there) is part of the table, whatever a vacuum
 * removed since; the boundary tells. Native LanceDB's cleanup writes no boundary: behind it, a version with a gap up
 * to the head was linked under a number that is long past, and nobody will ever see it.
 */
import { manifestPath } from "../format/layout.js";
import { retiredUpTo } from "./boundary.js";
import { keepsVersions, listVersionNames, readHint } from "./head.js";
import type { NamingScheme } from "./log.js";
import type { SharedTable } from "./shared-table.js";

export type Look =
  /** The version is part of the table. */
  | { readonly kind: "there"; readonly identity: string }
  /** It was part of the table, and a vacuum has passed since. */
  | { readonly kind: "passed" }
  /** It is not part of the table: later versions were built on another one. */
  | { readonly kind: "lost" }
  | { readonly kind: "unknown" };

/** Looks at a version that this process created a moment ago. */
export async function lookAgain(table: SharedTable, version: number, scheme: NamingScheme): Promise<Look> {
  const { store } = table;
  const info = await store.head(manifestPath(version, scheme));
  const hinted = await readHint(store, table.hint);
  const isNewest = hinted <= version && (table.seen() === "lately" || !(await keepsVersions(store)));
  if (info !== undefined && isNewest) return { kind: "there", identity: info.identity };
  const next = info === undefined ? undefined : await store.head(manifestPath(version + 1, scheme));
  if (info !== undefined && next !== undefined) return { kind: "there", identity: info.identity };
  if ((await retiredUpTo(store, table.boundary)) >= version) return { kind: "passed" };
  if (info === undefined) return { kind: "unknown" };
  const newest = (await listVersionNames(store))[0];
  return newest === undefined || newest.version <= version
    ? { kind: "there", identity: info.identity }
    : { kind: "lost" };
}

/** Which fragments statistics rule out. Keeps a fragment on any doubt. */
import type { FragmentReader } from "../data/fragment.js";
import { findPath, type TableSchema } from "../format/schema.js";
import type { BoundExpression } from "./expression/evaluate.js";
import { mightMatch } from "./prune.js";

/**
 * True when statistics prove that the filter keeps no row of the fragment.
 * @param schema the columns that the filter reads
 * @throws SNAPSHOT_EXPIRED, CORRUPT when a footer cannot be read
 */
export async function provesEmpty(
  reader: FragmentReader,
  filter: BoundExpression,
  schema: TableSchema,
): Promise<boolean> {
  if (schema.nodes.length === 0) return false;
  const statistics = await reader.statistics(schema);
  return !mightMatch(filter, (path) => atPath(schema, statistics, path), reader.rows);
}

function atPath<T>(schema: TableSchema, statistics: ReadonlyMap<number, T>, path: readonly string[]): T | undefined {
  const node = findPath(schema, path);
  return node === undefined ? undefined : statistics.get(node.id);
}

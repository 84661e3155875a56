/** Several vector searches of one version, which is read once for all of them. */
import { Table as ArrowTable } from "apache-arrow";
import { nearestMany, nearestSchema } from "../compute/nearest.js";
import { TableError } from "../support/errors.js";
import { checkLimits, optionsOf, shown } from "./arguments.js";
import {
  EXECUTION,
  type QueryExecutionOptions,
  type QuerySource,
  readHeld,
  type TimeLimit,
  timeLimit,
} from "./query-base.js";
import type { IntoVector } from "./vector.js";
import { planOf, VectorQuery } from "./vector-query.js";

/**
 * The results of the searches, in their order, each what the search alone would give.
 * @throws as the execution of each of them; the first that fails fails all
 */
export async function searchMany(
  open: () => Promise<QuerySource>,
  searches: readonly (IntoVector | VectorQuery)[],
  given: QueryExecutionOptions,
): Promise<ArrowTable[]> {
  const options = optionsOf(given, "The options of searchMany()", EXECUTION);
  checkLimits(options);
  if (!Array.isArray(searches)) throw noList(searches);
  const queries = searches.map((search) => (search instanceof VectorQuery ? search : vectorQuery(open, search)));
  const held = await open();
  let limit: TimeLimit | undefined;
  try {
    return await readHeld(held, async (source) => {
      limit = timeLimit(options, held.runtime);
      const plans = await Promise.all(queries.map((query) => planOf(query, source)));
      const results = await nearestMany(source, plans, {
        ...(options.maxBatchLength === undefined ? {} : { batchRows: options.maxBatchLength }),
        ...(limit.signal === undefined ? {} : { signal: limit.signal }),
      });
      return results.map((batches, i) => {
        return batches.length > 0 ? new ArrowTable(batches) : new ArrowTable(nearestSchema(source, plans[i]!));
      });
    });
  } finally {
    limit?.end();
  }
}

function noList(searches: unknown): TableError {
  const what = "it has to be an array of vectors and queries";
  return new TableError("INVALID_ARGUMENT", `The searches of searchMany() are ${shown(searches)}; ${what}.`);
}

function vectorQuery(open: () => Promise<QuerySource>, vector: IntoVector): VectorQuery {
  return new VectorQuery(open, [vector], { filters: [], limit: undefined, offset: undefined });
}

/**
 * What crosses between a scan and its reader threads, as plain values: the job of a scan, which every thread decodes
 * once, the windows, the answers, and errors with their code and details.
 */
import { deserialize, serialize } from "node:v8";
import {
  fieldsFromSchema,
  type LanceField,
  nodesDepthFirst,
  schemaFromFields,
  type TableSchema,
} from "../../format/schema.js";
import { isTableError, TableError } from "../../support/errors.js";
import type { Expression } from "../expression/ast.js";
import { bindExpression } from "../expression/bind.js";
import type { BoundExpression } from "../expression/evaluate.js";
import { queryableSchema, type RowSource, type ScanPlan, type Window } from "../plan.js";
import type { RankedOffsets } from "../rank.js";
import type { PackedBatch } from "./columns.js";
import type { Job } from "./job.js";

/** One window of one scan. */
export interface Task {
  /** Different for every scan of the pool. */
  readonly scan: number;
  /** The encoded scan, in memory that all threads see. */
  readonly shape: Uint8Array<SharedArrayBuffer>;
  /** Not 0 when nobody wants the answer any more. */
  readonly stop: Int32Array<SharedArrayBuffer>;
  readonly window: Window;
}

/** An `Answer` on its way, with what it cost. */
export interface PackedAnswer {
  readonly rows: number;
  readonly batches: readonly PackedBatch[];
  readonly ranked: readonly (readonly (readonly RankedOffsets[])[])[];
  readonly rowsScanned: number;
  readonly windows: number;
  /** Requests for data files and their bytes. */
  readonly requests: number;
  readonly bytes: number;
}

export type TaskAnswer = PackedAnswer | { readonly error: FrozenError };

/** What a thread needs to know of a scan. */
export interface ScanShape {
  /** The database, and the table's directory in it. */
  readonly root: string;
  readonly directory: string;
  readonly source: Omit<RowSource, "cache">;
  readonly rows: number;
  readonly job: Job;
}

/** As it is encoded: schemas as their fields, expressions as they were before they were bound. */
interface FrozenShape extends Omit<ScanShape, "source" | "job"> {
  readonly fields: readonly LanceField[];
  readonly metadata: ReadonlyMap<string, string>;
  readonly version?: number;
  readonly stableRowIds?: boolean;
  readonly job: unknown;
}

/** A bound expression on its way. */
interface FrozenExpression {
  readonly frozen: Expression;
}

export function encodeShape(shape: ScanShape): Uint8Array<SharedArrayBuffer> {
  const { schema, version, stableRowIds } = shape.source;
  const frozen: FrozenShape = {
    root: shape.root,
    directory: shape.directory,
    fields: fieldsOf(schema),
    metadata: schema.arrow.metadata,
    ...(version === undefined ? {} : { version }),
    ...(stableRowIds === undefined ? {} : { stableRowIds }),
    rows: shape.rows,
    job: freezeJob(shape.job),
  };
  const bytes = serialize(frozen);
  const shared = new Uint8Array(new SharedArrayBuffer(bytes.length));
  shared.set(bytes);
  return shared;
}

export function decodeShape(bytes: Uint8Array): ScanShape {
  const frozen = deserialize(bytes.slice()) as FrozenShape;
  const encoder = new TextEncoder();
  const metadata = new Map([...frozen.metadata].map(([key, value]) => [key, encoder.encode(value)]));
  const schema = schemaFromFields(frozen.fields, metadata);
  const { root, directory, rows, version, stableRowIds } = frozen;
  return {
    root,
    directory,
    rows,
    source: {
      schema,
      ...(version === undefined ? {} : { version }),
      ...(stableRowIds === undefined ? {} : { stableRowIds }),
    },
    job: thawJob(frozen.job, schema),
  };
}

/** The fields of a schema under its own ids. */
function fieldsOf(schema: TableSchema): LanceField[] {
  const ids = nodesDepthFirst(schema).map(({ id }) => id);
  return fieldsFromSchema(schema.arrow, 0).map((field) => {
    return { ...field, id: ids[field.id]!, parentId: field.parentId < 0 ? field.parentId : ids[field.parentId]! };
  });
}

function freezeJob(job: Job): unknown {
  switch (job.kind) {
    case "rows":
    case "ordered": {
      const { signal: _signal, columns, filter, ...plan } = job.plan;
      const frozen = columns?.map((column) => ({ ...column, expression: freeze(column.expression) }));
      return { ...job, plan: { ...plan, columns: frozen, filter: freeze(filter) } };
    }
    case "count":
      return { ...job, filter: freeze(job.filter) };
    case "rank":
      return { ...job, groups: job.groups.map((group) => ({ ...group, filter: freeze(group.filter) })) };
  }
}

function thawJob(frozen: unknown, schema: TableSchema): Job {
  const job = frozen as Job;
  const names = queryableSchema(schema);
  const thaw = (expression: unknown) => {
    return expression === undefined ? {} : { filter: bindExpression((expression as FrozenExpression).frozen, names) };
  };
  switch (job.kind) {
    case "rows":
    case "ordered": {
      const { columns, filter, ...rest } = job.plan;
      const thawed = columns?.map(({ name, expression }) => {
        return { name, ...(expression === undefined ? {} : { expression: thaw(expression).filter! }) };
      });
      const plan: ScanPlan = { ...rest, ...(thawed === undefined ? {} : { columns: thawed }), ...thaw(filter) };
      return { ...job, plan };
    }
    case "count":
      return { ...job, filter: thaw(job.filter).filter! };
    case "rank":
      return { ...job, groups: job.groups.map(({ filter, ...group }) => ({ ...group, ...thaw(filter) })) };
  }
}

function freeze(expression: BoundExpression | undefined): FrozenExpression | undefined {
  return expression === undefined ? undefined : { frozen: expression.source };
}

/** An error as a plain value; the details of a `TableError` are plain values already. */
export interface FrozenError {
  readonly code: TableError["code"];
  readonly message: string;
  readonly details: TableError["details"];
  readonly stack: string | undefined;
}

export function freezeError(error: unknown): FrozenError {
  const { message, stack } = error instanceof Error ? error : new Error(String(error));
  if (isTableError(error)) return { code: error.code, message, details: error.details, stack };
  const sentence = `A reader thread failed: ${message}. Please report it.`;
  return { code: "INTERNAL", message: sentence, details: {}, stack };
}

export function thawError({ code, message, details, stack }: FrozenError): TableError {
  const cause = new Error(`in a reader thread: ${message}`);
  if (stack !== undefined) cause.stack = stack;
  return new TableError(code, message, { details, cause });
}

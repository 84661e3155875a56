/**
 * What a group of writes does to the rows of one version: rows that go, rows that come, each write seeing the effect
 * of those before it. Nothing is written here; a write that throws leaves no trace in it.
 */
import type { Data, RecordBatch } from "apache-arrow";
import { castData } from "../compute/expression/cast.js";
import { type BoundExpression, evaluate, selectRows } from "../compute/expression/evaluate.js";
import { ROW_ADDRESS } from "../compute/row-numbers.js";
import { type ScanSource, scan } from "../compute/scan.js";
import { filterRows, makeBatch, takeRows } from "../data/kernels/batches.js";
import { DeletionVector } from "../format/deletion-vector.js";
import type { TableSchema } from "../format/schema.js";
import { TableError } from "../support/errors.js";

/** Columns that an update sets, by name. */
export type Assignments = ReadonlyMap<string, BoundExpression>;

/** Rows of the base by fragment id. */
export type Addresses = ReadonlyMap<number, readonly number[]>;

/** Rows of the base version that matched, with the values asked for. */
export interface MatchedRows {
  readonly batch: RecordBatch;
  readonly addresses: BigUint64Array;
}

/** Rows for the new version. */
export interface PendingRows {
  readonly batch: RecordBatch;
  /** Where the rows lay in the base version, when they are changed rows; undefined when they are new. */
  readonly origins: BigUint64Array | undefined;
}

/** What a group did: the removed rows of the base, and the rows that came, changed ones before new ones. */
export interface FinishedChanges {
  readonly rows: ReadonlyMap<number, DeletionVector>;
  readonly added: readonly RecordBatch[];
  /** Where the changed rows lay, in their order. */
  readonly origins: BigUint64Array;
}

interface AddedRows extends PendingRows {
  /** Rows of the batch that a later write of the group deleted. */
  readonly gone: Uint8Array;
  live: number;
}

const OFFSET_BITS = 32n;
const OFFSET_MASK = 0xffff_ffffn;

export class RowChanges {
  readonly #source: ScanSource;
  readonly #schema: TableSchema;
  readonly #gone = new Map<number, Set<number>>();
  readonly #added: AddedRows[] = [];

  constructor(source: ScanSource, schema: TableSchema) {
    this.#source = source;
    this.#schema = schema;
  }

  get isEmpty(): boolean {
    return this.#gone.size === 0 && this.#added.length === 0;
  }

  /** Adds new rows; later writes of the group see them. */
  insert(batches: readonly RecordBatch[]): void {
    this.put(batches.map((batch) => ({ batch, origins: undefined })));
  }

  /** As `insert`, also for changed rows. */
  put(pending: readonly PendingRows[]): void {
    for (const { batch, origins } of pending) {
      const rows = batch.numRows;
      if (rows > 0) this.#added.push({ batch, origins, gone: new Uint8Array(rows), live: rows });
    }
  }

  /** Deletes the rows for which `filter` is true (all without one); returns how many there were. */
  async deleteWhere(filter: BoundExpression | undefined): Promise<number> {
    const addresses: BigUint64Array[] = [];
    let count = 0;
    for await (const matched of this.matches(filter, [])) {
      addresses.push(matched.addresses);
      count += matched.addresses.length;
    }
    const pending = this.#added.map((added) => this.#liveMatches(added, filter));
    for (const some of addresses) this.removeAt(some);
    return count + this.#dropPending(pending);
  }

  /** Gives the rows for which `filter` is true new values; returns how many there were. */
  async updateWhere(filter: BoundExpression | undefined, assignments: Assignments): Promise<number> {
    const names = this.#schema.arrow.fields.map((field) => field.name);
    const addresses: BigUint64Array[] = [];
    const changed: PendingRows[] = [];
    for await (const matched of this.matches(filter, names)) {
      addresses.push(matched.addresses);
      changed.push({ batch: assign(matched.batch, assignments), origins: matched.addresses });
    }
    const pending = this.#added.map((added) => this.#liveMatches(added, filter));
    for (const [i, rows] of pending.entries()) {
      const added = this.#added[i];
      if (added === undefined || rows.length === 0) continue;
      changed.push({
        batch: assign(takeRows(added.batch, rows), assignments),
        origins: pickRows(added.origins, rows),
      });
    }
    for (const some of addresses) this.removeAt(some);
    this.#dropPending(pending);
    this.put(changed);
    return changed.reduce((sum, { batch }) => sum + batch.numRows, 0);
  }

  /** Rows of the base that no earlier write of the group removed, matching `filter`, with the columns `names`. */
  async *matches(filter: BoundExpression | undefined, names: readonly string[]): AsyncGenerator<MatchedRows> {
    const columns = names.map((name) => ({ name }));
    const plan = { columns, withRowAddress: true, ...(filter === undefined ? {} : { filter }) };
    for await (const batch of scan(this.#source, plan)) {
      const matched = splitAddress(batch, names);
      const live = this.#withoutGone(matched);
      if (live.addresses.length > 0) yield live;
    }
  }

  /** Rows that earlier writes of the group added and that are still there. */
  pending(): readonly PendingRows[] {
    return this.#added.filter((added) => added.live > 0).map(liveRows);
  }

  /** Removes rows of the base. */
  removeAt(addresses: BigUint64Array): void {
    for (const address of addresses) {
      const fragment = Number(address >> OFFSET_BITS);
      const offset = Number(address & OFFSET_MASK);
      const rows = this.#gone.get(fragment);
      if (rows === undefined) this.#gone.set(fragment, new Set([offset]));
      else rows.add(offset);
    }
  }

  /** Puts other rows in the place of every pending one. */
  replacePending(pending: readonly PendingRows[]): void {
    this.#added.length = 0;
    this.put(pending);
  }

  finish(): FinishedChanges {
    const rows = new Map<number, DeletionVector>();
    for (const [fragment, offsets] of this.#gone) rows.set(fragment, DeletionVector.of(offsets));
    const pending = this.pending();
    const changed = pending.filter(({ origins }) => origins !== undefined);
    const fresh = pending.filter(({ origins }) => origins === undefined);
    return {
      rows,
      added: [...changed, ...fresh].map(({ batch }) => batch),
      origins: joinAddresses(changed.map(({ origins }) => origins as BigUint64Array)),
    };
  }

  #liveMatches(added: AddedRows, filter: BoundExpression | undefined): Uint32Array {
    const rows = filter === undefined ? allRows(added.batch) : selectRows(filter, added.batch);
    return rows.filter((row) => added.gone[row] === 0);
  }

  #dropPending(pending: readonly Uint32Array[]): number {
    let count = 0;
    for (const [i, rows] of pending.entries()) {
      const added = this.#added[i];
      if (added === undefined) continue;
      for (const row of rows) added.gone[row] = 1;
      added.live -= rows.length;
      count += rows.length;
    }
    return count;
  }

  #withoutGone(matched: MatchedRows): MatchedRows {
    if (this.#gone.size === 0) return matched;
    const keep = new Uint8Array(matched.addresses.length);
    let kept = 0;
    for (const [i, address] of matched.addresses.entries()) {
      if (this.#gone.get(Number(address >> OFFSET_BITS))?.has(Number(address & OFFSET_MASK))) continue;
      keep[i] = 1;
      kept++;
    }
    if (kept === keep.length) return matched;
    const addresses = matched.addresses.filter((_, i) => keep[i] === 1);
    return { batch: filterRows(matched.batch, keep), addresses };
  }
}

function allRows(batch: RecordBatch): Uint32Array {
  return Uint32Array.from({ length: batch.numRows }, (_, row) => row);
}

function liveRows(added: AddedRows): PendingRows {
  const { batch, origins, gone } = added;
  if (added.live === batch.numRows) return { batch, origins };
  return {
    batch: filterRows(
      batch,
      gone.map((flag) => 1 - flag),
    ),
    origins: origins?.filter((_, row) => gone[row] === 0),
  };
}

/** The values of `origins` at `rows`; undefined of undefined. */
export function pickRows(origins: BigUint64Array | undefined, rows: ArrayLike<number>): BigUint64Array | undefined {
  return origins && BigUint64Array.from(rows, (row) => origins[row] as bigint);
}

export function joinAddresses(parts: readonly BigUint64Array[]): BigUint64Array {
  const joined = new BigUint64Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

/** Takes the row addresses off a scanned batch. */
function splitAddress(batch: RecordBatch, names: readonly string[]): MatchedRows {
  const at = batch.schema.fields.findIndex((field) => field.name === ROW_ADDRESS);
  const column = batch.data.children[at] as Data;
  const values = column.values as BigUint64Array;
  const addresses = values.subarray(column.offset, column.offset + batch.numRows);
  const indices = names.map((name) => batch.schema.fields.findIndex((field) => field.name === name));
  const schema = batch.schema.selectAt(indices);
  const columns = indices.map((i) => batch.data.children[i] as Data);
  return { batch: makeBatch(schema, columns, batch.numRows), addresses };
}

/** The batch with some columns replaced by the values of expressions over the old ones. */
function assign(batch: RecordBatch, assignments: Assignments): RecordBatch {
  const columns = batch.schema.fields.map((field, i) => {
    const expression = assignments.get(field.name);
    if (expression === undefined) return batch.data.children[i] as Data;
    const data = castData(evaluate(expression, batch), field.type);
    if (!field.nullable && data.nullCount > 0) {
      throw new TableError(
        "SCHEMA_MISMATCH",
        `Column '${field.name}' is declared as non-nullable but contains null values after this update, in ${data.nullCount} rows. Give it another value, or make the column nullable.`,
        { details: { column: field.name } },
      );
    }
    return data;
  });
  return makeBatch(batch.schema, columns, batch.numRows);
}

/** Rows by position or by row id. */
import type { RecordBatch, Schema } from "apache-arrow";
import { outputSchema, type ScanSource } from "../compute/scan.js";
import { type TakePlan, takeOffsets, takeRowIds } from "../compute/take.js";
import { TableError } from "../support/errors.js";
import { numbersOf } from "./arguments.js";
import { type Execution, QueryBase, type QuerySource } from "./query-base.js";

const U64_MAX = 2n ** 64n - 1n;

type Take = (source: ScanSource, plan: TakePlan) => AsyncIterable<RecordBatch>;

export class TakeQuery extends QueryBase {
  readonly #take: Take;
  readonly #sentence: string;

  constructor(source: () => Promise<QuerySource>, take: Take, sentence: string) {
    super(source);
    this.#take = take;
    this.#sentence = sentence;
  }

  static byOffsets(source: () => Promise<QuerySource>, offsets: readonly number[]): TakeQuery {
    const wanted = numbersOf(offsets, "The offsets");
    return new TakeQuery(source, (from, plan) => takeOffsets(from, wanted, plan), `take ${wanted.length} offsets`);
  }

  /** @throws INVALID_ARGUMENT for an id that is no unsigned 64-bit integer */
  static byRowIds(source: () => Promise<QuerySource>, rowIds: readonly (bigint | number)[]): TakeQuery {
    const wanted = numbersOf(rowIds, "The row ids").map(toRowId);
    return new TakeQuery(source, (from, plan) => takeRowIds(from, wanted, plan), `take ${wanted.length} row ids`);
  }

  /** Accepted; there is no log-structured write path. */
  useLsm(_enable: boolean): this {
    return this;
  }

  protected override run(source: ScanSource, execution: Execution): AsyncIterable<RecordBatch> {
    return this.#take(source, { ...this.#columnsOf(source), ...execution });
  }

  protected override schemaOf(source: ScanSource): Schema {
    return outputSchema(source, this.#columnsOf(source));
  }

  protected override explain(source: ScanSource): string {
    const fields = this.schemaOf(source).fields.map((field) => field.name);
    return `Take: ${this.#sentence}, version ${source.version ?? "?"}, columns [${fields.join(", ")}]`;
  }

  #columnsOf(source: ScanSource): Pick<TakePlan, "columns" | "withRowId"> {
    const columns = this.outputColumns(source);
    return { ...(columns === undefined ? {} : { columns }), withRowId: this.wantsRowId };
  }
}

function toRowId(id: bigint | number): bigint {
  if (typeof id === "bigint") {
    if (id >= 0n && id <= U64_MAX) return id;
    if (id < 0n) throw new TableError("INVALID_ARGUMENT", "Row id cannot be negative");
    throw new TableError("INVALID_ARGUMENT", `Row id ${id} is not an unsigned 64-bit integer.`);
  }
  if (!Number.isInteger(id)) throw new TableError("INVALID_ARGUMENT", "Row id must be an integer (or bigint)");
  if (id < 0) throw new TableError("INVALID_ARGUMENT", "Row id cannot be negative");
  if (!Number.isSafeInteger(id)) {
    throw new TableError("INVALID_ARGUMENT", "Row id is too large for number; use bigint instead");
  }
  return BigInt(id);
}

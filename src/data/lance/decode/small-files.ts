/**
 * Rows of many small files of this package, appended to the columns of one batch: no request, no promise and hardly an
 * object per file.
 *
 * Knows what the writer makes of a few rows of flat columns: one page per column without levels, of one value, of plain
 * values, or of one chunk of text or booleans. Everything else, damage included, is refused before anything of it is appended; the
 * general reader then reads the file, or says what is wrong with it. docs/lance-files.md.
 */
import type { Data, RecordBatch } from "apache-arrow";
import type { DataFile } from "../../../format/fragment.js";
import type { SchemaNode, TableSchema } from "../../../format/schema.js";
import { isIntact } from "../../checksums.js";
import type { RowGatherer } from "../../codec.js";
import { makeBatch } from "../../kernels/batches.js";
import { type Layout, layoutOf } from "../../kernels/layout.js";
import { FOOTER_BYTES, FOOTER_MAGIC } from "../container.js";
import { leafColumn, rowSlots } from "./leaf-data.js";
import { LevelSink, pageLevels } from "./levels.js";
import { extendPlain, plainBytes, type Shape, shapeOf, sinkFor } from "./shape.js";
import type { ValueSink } from "./sinks.js";
import { locatePage, type SmallColumn, type SmallPage } from "./small-page.js";

const HOLDS: Readonly<Partial<Record<Layout["kind"], SmallColumn["holds"]>>> = {
  bool: "bits",
  bytes: "text",
  fixed: "plain",
  "fixed-list": "plain",
};

const VALID = pageLevels([1], ["item"]);
const NULLABLE = pageLevels([3], ["item"]);

interface Column {
  readonly node: SchemaNode;
  readonly shape: Shape;
  readonly holds: SmallColumn["holds"];
  /** Bytes of a plain value. */
  readonly width: number;
  levels: LevelSink;
  values: ValueSink;
  /** Of the file that is being appended. */
  page: SmallPage;
}

export class SmallFiles implements RowGatherer {
  rows = 0;
  sizeBytes = 0;
  readonly #schema: TableSchema;
  readonly #columns: readonly Column[];

  private constructor(schema: TableSchema, columns: readonly Column[]) {
    this.#schema = schema;
    this.#columns = columns;
  }

  /** Undefined when a column is neither text nor boolean nor a plain value nor a vector of such. */
  static of(schema: TableSchema): SmallFiles | undefined {
    const columns: Column[] = [];
    for (const node of schema.nodes) {
      const holds = HOLDS[layoutOf(node.field.type).kind];
      if (holds === undefined) return undefined;
      const shape = shapeOf(node.field.type);
      const width = plainBytes(shape);
      if (holds === "plain" && width === 0) return undefined;
      columns.push({ node, shape, holds, width, page: NO_PAGE, ...emptySinks(shape) });
    }
    return columns.length === 0 ? undefined : new SmallFiles(schema, columns);
  }

  append(bytes: Uint8Array, file: DataFile, rows: number): boolean {
    try {
      if (!this.#locate(bytes, file, rows)) return false;
    } catch {
      // What is no message or points outside the file: the general reader says where.
      return false;
    }
    for (const column of this.#columns) fill(column, bytes, rows);
    this.rows += rows;
    this.sizeBytes += bytes.byteLength;
    return true;
  }

  take(): RecordBatch {
    const { rows } = this;
    const columns = this.#columns.map((column) => finish(column, rows));
    for (const column of this.#columns) Object.assign(column, emptySinks(column.shape));
    this.rows = 0;
    this.sizeBytes = 0;
    return makeBatch(this.#schema.arrow, columns, rows);
  }

  /** Finds the page of every column; false for a file that is not of the known kind. */
  #locate(bytes: Uint8Array, file: DataFile, rows: number): boolean {
    const footer = bytes.byteLength - FOOTER_BYTES;
    if (bytes.byteLength !== file.sizeBytes || footer < 0) return false;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const version = view.getUint32(footer + 32, true);
    if (view.getUint32(footer + 36, true) !== FOOTER_MAGIC || (version !== 0x10002 && version !== 0x20002))
      return false;
    if (!isIntact(bytes, view.getUint32(footer, true), file.path)) return false;
    const columnTable = view.getUint32(footer + 8, true);
    const columns = view.getUint32(footer + 28, true);
    for (const column of this.#columns) {
      const at = file.fields.indexOf(column.node.id);
      const index = at < 0 ? undefined : file.columnIndices[at];
      if (index === undefined || index < 0 || index >= columns) return false;
      const start = view.getUint32(columnTable + index * 16, true);
      const end = start + view.getUint32(columnTable + index * 16 + 8, true);
      const page = locatePage(bytes, start, end, { rows, holds: column.holds, width: column.width });
      if (page === undefined) return false;
      column.page = page;
    }
    return true;
  }
}

const NO_PAGE: SmallPage = { kind: "null" };

function emptySinks(shape: Shape): Pick<Column, "levels" | "values"> {
  return { levels: new LevelSink(0, false), values: sinkFor(shape, 0) };
}

/** Appends the rows of the page, which has been checked. */
function fill({ page, levels, values, width }: Column, bytes: Uint8Array, rows: number): void {
  if (page.kind === "null") {
    levels.append(undefined, new Uint16Array(rows).fill(NULLABLE.maxDef), rows, NULLABLE);
    values.appendEmpty(rows);
    return;
  }
  levels.append(undefined, undefined, rows, VALID);
  if (page.kind === "text") {
    if (values.kind !== "bytes") return;
    for (let i = 0; i < rows; i++) values.push(bytes, page.ends[i]!, page.ends[i + 1]!);
    return;
  }
  if (page.kind === "bits") {
    if (values.kind === "bits") values.append(bytes, page.start * 8, rows);
    return;
  }
  const { bytes: target, at } = extendPlain(values, rows);
  const copies = page.kind === "constant" ? rows : 1;
  const size = page.kind === "constant" ? width : width * rows;
  for (let i = 0, to = at; i < copies; i++) {
    if (size <= 32) for (let j = 0; j < size; j++) target[to++] = bytes[page.start + j]!;
    else target.set(bytes.subarray(page.start, page.start + size), to);
  }
}

function finish({ node, levels, values }: Column, rows: number): Data {
  const { type } = node.field;
  const slots =
    levels.def === undefined ? { length: rows, nullCount: 0, validity: undefined } : rowSlots(levels.def, rows, 1);
  return leafColumn(type, type, values, slots);
}

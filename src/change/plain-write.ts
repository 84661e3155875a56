/** Writes in plain values, which another process of this package can take over: rows, predicates, assignments. */
import type { Expression } from "../compute/expression/ast.js";
import { buildBatches } from "../data/columns/build.js";
import type { Row } from "../data/columns/rows.js";
import { mergeSource } from "./rows.js";
import type { AppendWrite, MergeWrite, TableWrite } from "./write.js";

export type PlainWrite =
  | { readonly kind: "append"; readonly rows: readonly Row[] }
  | { readonly kind: "delete"; readonly predicate: Expression; readonly text: string }
  | {
      readonly kind: "update";
      readonly where: Expression | undefined;
      readonly assignments: ReadonlyMap<string, Expression>;
    }
  | ({ readonly kind: "merge"; readonly rows: readonly Row[] } & MergeClauses);

type MergeClauses = Pick<MergeWrite, "on" | "updateMatched" | "insertUnmatched" | "deleteUnmatchedTarget">;

/** Rows of one group; more are written faster where they are. */
const ROWS_MAX = 4096;
/** Characters, bytes and items of one group. */
const SIZE_MAX = 256 * 1024;
/** Values inside values. */
const DEPTH_MAX = 8;

/** undefined when one of the writes cannot be said in plain values, or they are too large. */
export function toPlain(writes: readonly TableWrite[]): readonly PlainWrite[] | undefined {
  const plain: PlainWrite[] = [];
  const size = { left: SIZE_MAX };
  let rows = 0;
  for (const write of writes) {
    if (write.properties !== undefined) return undefined;
    rows += write.rows;
    if (write.kind === "append" || write.kind === "merge") {
      if (write.plainRows === undefined || rows > ROWS_MAX) return undefined;
      for (const row of write.plainRows) if (!isPlain(row, size, 0)) return undefined;
      plain.push(ofRows(write, write.plainRows as readonly Row[]));
    } else if (write.kind === "delete") {
      plain.push({ kind: "delete", predicate: write.predicate, text: write.text });
    } else if (write.kind === "update") {
      plain.push({ kind: "update", where: write.where, assignments: write.assignments });
    } else {
      return undefined;
    }
  }
  return plain;
}

function ofRows(write: AppendWrite | MergeWrite, rows: readonly Row[]): PlainWrite {
  if (write.kind === "append") return { kind: "append", rows };
  const { on, updateMatched, insertUnmatched, deleteUnmatchedTarget } = write;
  return { kind: "merge", rows, on, updateMatched, insertUnmatched, deleteUnmatchedTarget };
}

/** A write as its caller made it. */
export function fromPlain(plain: PlainWrite): TableWrite {
  const size = { sizeBytes: 0, alone: false };
  if (plain.kind === "delete" || plain.kind === "update") return { ...plain, ...size, rows: 0 };
  const { rows } = plain;
  if (plain.kind === "merge") return { ...plain, ...mergeSource(rows), alone: false };
  return {
    kind: "append",
    plainRows: rows,
    toBatches: (schema) => buildBatches(rows, schema),
    rows: rows.length,
    ...size,
  };
}

/** True for what arrives as it was sent: no getters, proxies, functions or instances of classes. */
function isPlain(value: unknown, size: { left: number }, depth: number): boolean {
  if (--size.left < 0) return false;
  if (typeof value === "string") {
    size.left -= value.length;
    return size.left >= 0;
  }
  if (typeof value !== "object" || value === null) return typeof value !== "function" && typeof value !== "symbol";
  if (depth === DEPTH_MAX) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Date.prototype) return Object.keys(value).length === 0;
  if (Array.isArray(value))
    return prototype === Array.prototype && value.every((item) => isPlain(item, size, depth + 1));
  if (ArrayBuffer.isView(value)) {
    size.left -= value.byteLength;
    return size.left >= 0 && TYPED_ARRAYS.has(prototype);
  }
  if (prototype !== Object.prototype && prototype !== null) return false;
  for (const key in value) {
    const property = Object.getOwnPropertyDescriptor(value, key);
    if (property === undefined || !("value" in property) || !isPlain(property.value, size, depth + 1)) return false;
  }
  return true;
}

const TYPED_ARRAYS: ReadonlySet<unknown> = new Set([
  Buffer.prototype,
  Float32Array.prototype,
  Float64Array.prototype,
  Int8Array.prototype,
  Int16Array.prototype,
  Int32Array.prototype,
  Uint8Array.prototype,
  Uint16Array.prototype,
  Uint32Array.prototype,
  BigInt64Array.prototype,
  BigUint64Array.prototype,
]);

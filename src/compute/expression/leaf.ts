import type { RecordBatch } from "apache-arrow";
import type { Node } from "./bound.js";

export function scanLeaf(
  _node: Node,
  _batch: RecordBatch,
  _candidates: Uint32Array | undefined,
): Uint32Array | undefined {
  return undefined;
}

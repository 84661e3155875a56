/** Several vectors of one type end to end. */
import type { ListVector, Vector, WideValues } from "./vector.js";
import { emptyOf, takeVector } from "./write.js";

/** All of one type and none constant. @returns a vector as long as all together */
export function concatVectors(vectors: readonly Vector[]): Vector {
  const parts = vectors.map((vector) => (vector.form === "nothing" ? emptyOf(vector.type, vector.length) : vector));
  const first = parts[0] as Vector;
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const valid = new Uint8Array(length).fill(1);
  let at = 0;
  for (const part of parts) {
    if (part.valid !== undefined) valid.set(part.valid, at);
    at += part.length;
  }
  const head = { type: first.type, length, constant: false, valid } as const;
  switch (first.form) {
    case "nothing":
      return { ...first, length };
    case "truth":
      return { ...head, form: "truth", values: joinBytes(parts.map((part) => (part as typeof first).values)) };
    case "number": {
      const values = new Float64Array(length);
      joinInto(
        values,
        parts.map((part) => (part as typeof first).values),
      );
      return { ...head, form: "number", values };
    }
    case "wide":
      return {
        ...head,
        form: "wide",
        values: joinWide(
          parts.map((part) => (part as typeof first).values),
          length,
        ),
      };
    case "bytes": {
      const typed = parts as readonly (typeof first)[];
      const bytes = joinBytes(typed.map((part) => part.bytes.subarray(part.offsets[0], part.offsets[part.length])));
      return { ...head, form: "bytes", bytes, offsets: joinOffsets(typed, length) };
    }
    case "list": {
      const typed = parts as readonly (typeof first)[];
      const child = concatVectors(typed.map(usedItems));
      return { ...head, form: "list", child, offsets: joinOffsets(typed, length) };
    }
    case "struct": {
      const typed = parts as readonly (typeof first)[];
      const children = first.children.map((_, k) => concatVectors(typed.map((part) => part.children[k] as Vector)));
      return { ...head, form: "struct", children };
    }
  }
}

function joinInto(out: Float64Array, arrays: readonly Float64Array[]): void {
  let at = 0;
  for (const array of arrays) {
    out.set(array, at);
    at += array.length;
  }
}

function joinBytes(arrays: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(arrays.reduce((sum, array) => sum + array.length, 0));
  let at = 0;
  for (const array of arrays) {
    out.set(array, at);
    at += array.length;
  }
  return out;
}

function joinWide(arrays: readonly WideValues[], length: number): WideValues {
  const [first] = arrays;
  const out: { [i: number]: bigint } =
    first instanceof BigInt64Array
      ? new BigInt64Array(length)
      : first instanceof BigUint64Array
        ? new BigUint64Array(length)
        : new Array<bigint>(length);
  let at = 0;
  for (const array of arrays) for (let i = 0; i < array.length; i++) out[at++] = array[i] as bigint;
  return out as WideValues;
}

/** The items that the offsets of a list reach, and no others. */
function usedItems(list: ListVector): Vector {
  const [from, to] = [list.offsets[0] as number, list.offsets[list.length] as number];
  if (from === 0 && to === list.child.length) return list.child;
  return takeVector(
    list.child,
    Uint32Array.from({ length: to - from }, (_, i) => from + i),
  );
}

interface Runs {
  readonly offsets: Int32Array;
  readonly length: number;
}

function joinOffsets(parts: readonly Runs[], length: number): Int32Array {
  const out = new Int32Array(length + 1);
  let row = 0;
  let base = 0;
  for (const part of parts) {
    const first = part.offsets[0] as number;
    for (let i = 0; i <= part.length; i++) out[row + i] = base + (part.offsets[i] as number) - first;
    row += part.length;
    base = out[row] as number;
  }
  return out;
}

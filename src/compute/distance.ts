/**
 * Distances of a query vector to many vectors that lie one behind the other, as LanceDB defines them.
 *
 * l2 is the squared Euclidean distance, cosine is 1 - cos, dot is 1 - dot product, hamming counts different bits.
 * A distance that is not defined (a zero vector under cosine) is NaN.
 */

export type DistanceType = "l2" | "cosine" | "dot" | "hamming";

/** Elements of vectors as the kernels read them; half floats are widened before. */
export type Elements = Float32Array | Float64Array | Uint8Array;

/** A query vector made ready for one metric and one kind of elements. */
export interface Query {
  readonly elements: Elements;
  readonly metric: DistanceType;
  /** Euclidean length. */
  readonly norm: number;
}

/** The query in the elements of the column it is compared with. */
export function makeQuery(vector: ArrayLike<number>, metric: DistanceType, like: Elements): Query {
  // Rounded as the column is, but kept in doubles, which the kernels need not widen for every row.
  const elements =
    like instanceof Float64Array
      ? Float64Array.from(vector)
      : like instanceof Float32Array
        ? Float64Array.from(Float32Array.from(vector))
        : Uint8Array.from(vector);
  return { elements, metric, norm: Math.sqrt(dot(elements, 0, elements, elements.length)) };
}

/**
 * Distances of the query to the vectors `rows` (all of them when absent) of `elements`, into `out`, in single precision.
 */
export function distances(query: Query, elements: Elements, rows: Uint32Array | undefined, out: Float32Array): void {
  const { elements: wanted, metric, norm } = query;
  const width = wanted.length;
  const count = out.length;
  for (let i = 0; i < count; i++) {
    const start = (rows === undefined ? i : rows[i]!) * width;
    if (metric === "l2") out[i] = squaredDistance(wanted, start, elements, width);
    else if (metric === "dot") out[i] = 1 - dot(wanted, start, elements, width);
    else if (metric === "cosine") out[i] = cosine(wanted, norm, start, elements, width);
    else out[i] = differentBits(wanted as Uint8Array, start, elements as Uint8Array, width);
  }
}

// Four sums side by side keep the processor's adders busy; one sum would wait for itself.

function squaredDistance(query: Elements, start: number, elements: Elements, width: number): number {
  let s0 = 0;
  let s1 = 0;
  let s2 = 0;
  let s3 = 0;
  const body = width & ~3;
  let i = 0;
  for (let at = start; i < body; i += 4, at += 4) {
    const d0 = elements[at]! - query[i]!;
    const d1 = elements[at + 1]! - query[i + 1]!;
    const d2 = elements[at + 2]! - query[i + 2]!;
    const d3 = elements[at + 3]! - query[i + 3]!;
    s0 += d0 * d0;
    s1 += d1 * d1;
    s2 += d2 * d2;
    s3 += d3 * d3;
  }
  for (; i < width; i++) {
    const d = elements[start + i]! - query[i]!;
    s0 += d * d;
  }
  return s0 + s1 + (s2 + s3);
}

function dot(query: Elements, start: number, elements: Elements, width: number): number {
  let s0 = 0;
  let s1 = 0;
  let s2 = 0;
  let s3 = 0;
  const body = width & ~3;
  let i = 0;
  for (let at = start; i < body; i += 4, at += 4) {
    s0 += elements[at]! * query[i]!;
    s1 += elements[at + 1]! * query[i + 1]!;
    s2 += elements[at + 2]! * query[i + 2]!;
    s3 += elements[at + 3]! * query[i + 3]!;
  }
  for (; i < width; i++) s0 += elements[start + i]! * query[i]!;
  return s0 + s1 + (s2 + s3);
}

function cosine(query: Elements, norm: number, start: number, elements: Elements, width: number): number {
  let d0 = 0;
  let d1 = 0;
  let n0 = 0;
  let n1 = 0;
  const body = width & ~1;
  let i = 0;
  for (let at = start; i < body; i += 2, at += 2) {
    const a = elements[at]!;
    const b = elements[at + 1]!;
    d0 += a * query[i]!;
    d1 += b * query[i + 1]!;
    n0 += a * a;
    n1 += b * b;
  }
  if (i < width) {
    const a = elements[start + i]!;
    d0 += a * query[i]!;
    n0 += a * a;
  }
  return 1 - (d0 + d1) / (norm * Math.sqrt(n0 + n1));
}

function differentBits(query: Uint8Array, start: number, elements: Uint8Array, width: number): number {
  let bits = 0;
  for (let i = 0; i < width; i++) {
    let rest = elements[start + i]! ^ query[i]!;
    rest -= (rest >>> 1) & 0x55;
    rest = (rest & 0x33) + ((rest >>> 2) & 0x33);
    bits += (rest + (rest >>> 4)) & 0x0f;
  }
  return bits;
}

let halves: Float32Array | undefined;

/** Half floats as single floats. */
export function widenHalves(values: Uint16Array): Float32Array {
  halves ??= Float32Array.from({ length: 1 << 16 }, (_, bits) => halfValue(bits));
  const table = halves;
  const out = new Float32Array(values.length);
  for (let i = 0; i < values.length; i++) out[i] = table[values[i]!]!;
  return out;
}

function halfValue(bits: number): number {
  const sign = (bits & 0x8000) === 0 ? 1 : -1;
  const exponent = (bits >>> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

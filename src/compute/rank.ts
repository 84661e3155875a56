/** Which rows of a table are closest to query vectors: one pass over pieces, any number of vectors. */
import type { Data } from "apache-arrow";
import { validityOf, valuesOf } from "../data/kernels/column.js";
import { TableError } from "../support/errors.js";
import { BestRows } from "./best-rows.js";
import { type DistanceType, distances, type Elements, makeQuery, type Query, widenHalves } from "./distance.js";
import { type Piece, pieceRows } from "./piece.js";

/** A vector search, as far as ranking goes. */
export interface Ranking {
  /** The vector column. */
  readonly column: string;
  readonly vectors: readonly ArrayLike<number>[];
  /** Default l2, for columns of bytes hamming. */
  readonly distanceType?: DistanceType;
  /** Only distances of at least this. */
  readonly lowerBound?: number;
  /** Only distances below this. */
  readonly upperBound?: number;
  /** How many rows are kept for each vector. */
  readonly wanted: number;
}

/** Rows of one fragment, closest first. */
export interface RankedOffsets {
  readonly distances: Float32Array;
  readonly offsets: Uint32Array;
}

/** The rows of one ranking seen so far that are closest to each of its vectors. */
export class Ranker {
  /** One for each vector. */
  readonly best: readonly BestRows[];
  readonly #ranking: Ranking;
  #queries: readonly Query[] | undefined;

  constructor(ranking: Ranking) {
    this.#ranking = ranking;
    this.best = ranking.vectors.map(() => new BestRows(ranking.wanted));
  }

  /** Offers the rows of a piece, whose first column is the vector column with these elements. Pieces come in scan order. */
  offer(piece: Piece, elements: Elements): void {
    const { vectors } = this.#ranking;
    this.#queries ??= vectors.map((vector) => makeQuery(vector, metricOf(elements, this.#ranking), elements));
    for (const [i, query] of this.#queries.entries()) offerPiece(this.best[i]!, query, piece, elements, this.#ranking);
  }

  /** Offers what another ranker of the same ranking kept of rows of one fragment. Windows come in scan order. */
  offerRanked(ranked: readonly RankedOffsets[], fragmentId: number): void {
    for (const [i, { distances: near, offsets }] of ranked.entries()) {
      for (let k = 0; k < near.length; k++) this.best[i]!.offer(near[k]!, fragmentId, offsets[k]!);
    }
  }

  /** What was kept, for `offerRanked`. */
  ranked(): RankedOffsets[] {
    return this.best.map((best) => {
      const rows = best.sorted();
      return {
        distances: Float32Array.from(rows, (row) => row.distance),
        offsets: Uint32Array.from(rows, (row) => row.offset),
      };
    });
  }
}

/** Offers a piece, whose first column is the vector column, to several rankers. */
export function offerToAll(rankers: readonly Ranker[], piece: Piece, column: string): void {
  const elements = elementsOf(piece.batch.data.children[0]!, column);
  for (const ranker of rankers) ranker.offer(piece, elements);
}

function elementsOf(vectors: Data, column: string): Elements {
  const values = valuesOf(vectors.children[0]!);
  if (values instanceof Float32Array || values instanceof Float64Array || values instanceof Uint8Array) return values;
  if (values instanceof Uint16Array) return widenHalves(values);
  throw new TableError("NOT_SUPPORTED", `Vectors of column ${column} have elements that cannot be compared.`);
}

function metricOf(elements: Elements, { column, distanceType }: Ranking): DistanceType {
  const bytes = elements instanceof Uint8Array;
  const metric = distanceType ?? (bytes ? "hamming" : "l2");
  if ((metric === "hamming") === bytes) return metric;
  throw new TableError(
    "INVALID_ARGUMENT",
    `Distance type ${metric} does not support the vectors of column ${column}; use ${bytes ? "hamming" : "l2, cosine or dot"}.`,
    { details: { column, distanceType: metric } },
  );
}

function offerPiece(best: BestRows, query: Query, piece: Piece, elements: Elements, ranking: Ranking): void {
  const { selected, offsets } = piece;
  const vectors = piece.batch.data.children[0]!;
  const validity = validityOf(vectors);
  const lower = ranking.lowerBound ?? Number.NEGATIVE_INFINITY;
  const upper = ranking.upperBound ?? Number.POSITIVE_INFINITY;
  const out = new Float32Array(pieceRows(piece));
  distances(query, elements, selected, out);
  let worst = best.worst;
  for (let i = 0; i < out.length; i++) {
    const distance = out[i]!;
    // Also false for NaN. An infinite distance may be among the best while there is room.
    if (!(distance < worst || (worst === Number.POSITIVE_INFINITY && distance === worst))) continue;
    if (distance < lower || distance >= upper) continue;
    const row = selected === undefined ? i : selected[i]!;
    if (validity !== undefined && !isSet(validity, vectors.offset + row)) continue;
    best.offer(distance, piece.fragment.id, typeof offsets === "number" ? offsets + row : offsets[row]!);
    worst = best.worst;
  }
}

function isSet(bitmap: Uint8Array, at: number): boolean {
  return ((bitmap[at >>> 3]! >>> (at & 7)) & 1) !== 0;
}

/**
 * The rows with the smallest distances seen so far: a heap of bounded size whose root is the worst row kept.
 *
 * Rows are offered in scan order, so of two rows at the same distance the earlier one stays.
 */

export interface RankedRow {
  readonly distance: number;
  readonly fragmentId: number;
  readonly offset: number;
}

export class BestRows {
  readonly #countMax: number;
  readonly #distances: Float32Array;
  readonly #fragmentIds: Uint32Array;
  readonly #offsets: Uint32Array;
  /** Order in which rows came, to tell equal distances apart. */
  readonly #turns: Uint32Array;
  #count = 0;
  #turn = 0;

  constructor(countMax: number) {
    this.#countMax = countMax;
    this.#distances = new Float32Array(countMax);
    this.#fragmentIds = new Uint32Array(countMax);
    this.#offsets = new Uint32Array(countMax);
    this.#turns = new Uint32Array(countMax);
  }

  /** A row must be closer than this to be kept. */
  get worst(): number {
    return this.#count < this.#countMax ? Number.POSITIVE_INFINITY : this.#distances[0]!;
  }

  /** Keeps the row if there is room or if it beats the worst one. */
  offer(distance: number, fragmentId: number, offset: number): void {
    const turn = this.#turn++;
    if (this.#count < this.#countMax) {
      this.#count++;
      this.#place(this.#rise(this.#count - 1, distance, turn), distance, fragmentId, offset, turn);
    } else if (this.#countMax > 0 && distance < this.#distances[0]!) {
      this.#place(this.#sink(distance, turn), distance, fragmentId, offset, turn);
    }
  }

  /** The rows kept, closest first. */
  sorted(): RankedRow[] {
    const order = Array.from({ length: this.#count }, (_, i) => i);
    order.sort((a, b) => this.#distances[a]! - this.#distances[b]! || this.#turns[a]! - this.#turns[b]!);
    return order.map((i) => {
      return { distance: this.#distances[i]!, fragmentId: this.#fragmentIds[i]!, offset: this.#offsets[i]! };
    });
  }

  #rise(from: number, distance: number, turn: number): number {
    let at = from;
    while (at > 0) {
      const parent = (at - 1) >>> 1;
      if (!this.#isWorse(distance, turn, parent)) break;
      this.#move(parent, at);
      at = parent;
    }
    return at;
  }

  #sink(distance: number, turn: number): number {
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= this.#count) return at;
      const right = child + 1;
      if (right < this.#count && this.#isWorse(this.#distances[right]!, this.#turns[right]!, child)) child = right;
      if (!this.#isWorse(this.#distances[child]!, this.#turns[child]!, undefined, distance, turn)) return at;
      this.#move(child, at);
      at = child;
    }
  }

  /** True when the first row is behind the second in the result. */
  #isWorse(distance: number, turn: number, other: number | undefined, otherDistance = 0, otherTurn = 0): boolean {
    const against = other === undefined ? otherDistance : this.#distances[other]!;
    if (distance !== against) return distance > against;
    return turn > (other === undefined ? otherTurn : this.#turns[other]!);
  }

  #move(from: number, to: number): void {
    this.#place(to, this.#distances[from]!, this.#fragmentIds[from]!, this.#offsets[from]!, this.#turns[from]!);
  }

  #place(at: number, distance: number, fragmentId: number, offset: number, turn: number): void {
    this.#distances[at] = distance;
    this.#fragmentIds[at] = fragmentId;
    this.#offsets[at] = offset;
    this.#turns[at] = turn;
  }
}

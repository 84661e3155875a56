/** Findings as they are made, for `for await`, or all at once. Looking begins with the first one that is asked for. */
export class Findings<F> implements AsyncIterable<F> {
  readonly #find: () => AsyncIterable<F>;

  /** @param find begins a new look at the table */
  constructor(find: () => AsyncIterable<F>) {
    this.#find = find;
  }

  [Symbol.asyncIterator](): AsyncIterator<F> {
    return this.#find()[Symbol.asyncIterator]();
  }

  async toArray(): Promise<F[]> {
    const all: F[] = [];
    for await (const one of this) all.push(one);
    return all;
  }
}

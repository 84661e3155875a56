import { Scratch, ScratchPool } from "../../src/data/scratch.js";

/** Memory that is overwritten as soon as it may be used again. */
class Overwriting extends Scratch {
  readonly #given: Uint8Array[] = [];

  override take(size: number) {
    const bytes = super.take(size).fill(0xa5);
    this.#given.push(bytes);
    return bytes;
  }

  override reset() {
    for (const bytes of this.#given.splice(0)) bytes.fill(0x5a);
    super.reset();
  }
}

/** A pool that shows who looks at a batch after the next one was asked for. */
export const overwritingPool = () => new ScratchPool(() => new Overwriting());

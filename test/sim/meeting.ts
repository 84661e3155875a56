/** Meetings of simulated processes: messages arrive in order, late, and not at all once one of the two is dead. */
import type { Host, Meeting, Peer } from "../../src/store/contract.js";
import type { SimulatedProcess } from "./process.js";
import type { World } from "./world.js";

interface Hosted {
  readonly process: SimulatedProcess;
  readonly accept: (peer: Peer) => void;
}

/** Who is reached by which path. */
export type Hosts = Map<string, Hosted>;

/** The meetings of one process. */
export function simulatedMeeting(world: World, process: SimulatedProcess): Meeting {
  const { hosts } = world;
  return {
    async host(path, accept, _id, takeOver): Promise<Host | undefined> {
      await process.runtime.sleep(0);
      if (hosts.get(path)?.process.alive && !takeOver) return undefined;
      const mine = { process, accept };
      hosts.set(path, mine);
      const release = () => {
        if (hosts.get(path) === mine) hosts.delete(path);
      };
      return { isReached: async () => hosts.get(path) === mine, close: async () => release() };
    },
    async join(path): Promise<Peer | undefined> {
      await process.runtime.sleep(0);
      const host = hosts.get(path);
      if (host?.process.alive !== true) return undefined;
      const mine = new SimulatedPeer(world, process);
      const theirs = new SimulatedPeer(world, host.process);
      mine.connect(theirs);
      theirs.connect(mine);
      world.enqueueSleep(host.process, 0, () => host.accept(theirs));
      return mine;
    },
  };
}

/** One end of a connection, in the process that holds it. */
class SimulatedPeer implements Peer {
  readonly #world: World;
  readonly #process: SimulatedProcess;
  /** On their way to this end; undefined is the end of the connection. */
  readonly #arriving: (Uint8Array | undefined)[] = [];
  #other: SimulatedPeer | undefined;
  #onMessage: ((message: Uint8Array) => void) | undefined;
  #onEnd: (() => void) | undefined;
  #isOver = false;

  constructor(world: World, process: SimulatedProcess) {
    this.#world = world;
    this.#process = process;
  }

  connect(other: SimulatedPeer): void {
    this.#other = other;
    this.#process.atDeath(() => other.push(undefined));
  }

  listen(onMessage: (message: Uint8Array) => void, onEnd: () => void): void {
    this.#onMessage = onMessage;
    this.#onEnd = onEnd;
    for (let i = this.#arriving.length; i > 0; i--) this.#schedule();
  }

  send(message: Uint8Array): void {
    if (!this.#isOver && this.#process.alive) this.#other?.push(message.slice());
  }

  keepAlive(): void {}

  close(): void {
    if (this.#isOver) return;
    this.#other?.push(undefined);
    this.push(undefined);
  }

  push(message: Uint8Array | undefined): void {
    this.#arriving.push(message);
    if (this.#onMessage !== undefined) this.#schedule();
  }

  #schedule(): void {
    if (this.#process.alive) this.#world.enqueueSleep(this.#process, 0, () => this.#deliver());
  }

  #deliver(): void {
    if (this.#isOver) return;
    const message = this.#arriving.shift();
    if (message !== undefined) {
      this.#onMessage?.(message);
    } else {
      this.#isOver = true;
      this.#onEnd?.();
    }
  }
}

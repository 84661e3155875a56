/**
 * Writes the hint that names the newest version, behind the commits.
 *
 * The hint is advice: its loss costs a look at a few names. So it lags by a few versions while commits follow each
 * other, catches up as soon as they pause, and a failure is of no consequence. What another process has written counts
 * as written.
 */
import { encodeHint } from "../format/hint.js";
import { HINT_PATH } from "../format/layout.js";
import type { ObjectStore } from "../store/contract.js";
import type { Runtime, Timer } from "../support/runtime.js";

/** Versions that the hint may lag behind; half of what a reader probes name by name before it lists. */
const LAG_VERSIONS = 16;
/** A pause of this length is time to catch up, milliseconds. */
const PAUSE_MS = 50;

export class HintWriter {
  readonly #store: ObjectStore;
  readonly #runtime: Runtime;
  /** Path of the manifest that the hint is to name, and its version. */
  #manifest = "";
  #wanted = 0;
  #written = 0;
  #writing: Promise<void> | undefined;
  #timer: Timer | undefined;

  constructor(store: ObjectStore, runtime: Runtime) {
    this.#store = store;
    this.#runtime = runtime;
  }

  /**
   * Notes that `version` was committed.
   * @param seen what the hint was found to name since, whoever wrote it; 0: nothing
   */
  note(version: number, manifest: string, seen = 0): void {
    this.#wanted = version;
    this.#manifest = manifest;
    if (seen > 0 && seen <= version) this.#written = seen;
    this.#timer?.cancel();
    this.#timer = undefined;
    if (this.#written === 0 || Math.abs(version - this.#written) >= LAG_VERSIONS) this.#start();
    else if (version !== this.#written) this.#timer = this.#runtime.timer(PAUSE_MS, () => this.#start());
  }

  /** Resolves when the hint has caught up. */
  async quiet(): Promise<void> {
    if (this.#timer !== undefined) this.#start();
    while (this.#writing !== undefined) await this.#writing;
  }

  #start(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#writing ??= this.#write().finally(() => {
      this.#writing = undefined;
    });
  }

  async #write(): Promise<void> {
    while (this.#written !== this.#wanted) {
      this.#written = this.#wanted;
      await this.#replace().catch(() => {});
    }
  }

  /** Nothing is written where the table has been removed: that would bring its directory back. */
  async #replace(): Promise<void> {
    const hint = encodeHint(this.#written);
    if ((await this.#store.head(this.#manifest)) === undefined) return;
    await this.#store.replace(HINT_PATH, [hint], { durable: false });
  }
}

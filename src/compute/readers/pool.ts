/**
 * Threads that read: a pool for one database on a local disk, started with its first large scan.
 *
 * The package piscina runs the threads; it is an optional peer, imported here and nowhere else. A thread opens data
 * files itself and keeps caches of its own. Threads never keep the process alive.
 */
import type { Piscina } from "piscina";
import { TableError } from "../../support/errors.js";
import type { Task, TaskAnswer } from "./message.js";

export interface ReaderPoolOptions {
  /** The database's directory. */
  readonly root: string;
  readonly threads: number;
  /** The file that each thread runs. */
  readonly entry?: URL;
}

/** The threads as the scans of one table see them. */
export interface TableReaders {
  readonly pool: ReaderPool;
  /** The table's directory below the root. */
  readonly directory: string;
}

/** Windows that a thread may have at once: while one waits for the disk, the other one computes. */
const TASKS_PER_THREAD = 2;

export class ReaderPool {
  readonly root: string;
  readonly threads: number;
  readonly #entry: URL;
  #started: Promise<Piscina> | undefined;
  #closed = false;
  #scans = 0;

  constructor({ root, threads, entry = new URL("./entry.js", import.meta.url) }: ReaderPoolOptions) {
    this.root = root;
    this.threads = threads;
    this.#entry = entry;
  }

  /** Windows that may be under way at once with profit. */
  get tasksMax(): number {
    return this.threads * TASKS_PER_THREAD;
  }

  /** A number that no other scan of this pool has. */
  nextScan(): number {
    return this.#scans++;
  }

  /**
   * Reads one window in a thread.
   * @throws NOT_SUPPORTED without the package piscina, UNAVAILABLE when threads cannot be started or run out of memory,
   * CLOSED when the pool or the thread ended before the window was read
   */
  async run(task: Task): Promise<TaskAnswer> {
    if (this.#closed) throw ended(undefined);
    this.#started ??= this.#start();
    const pool = await this.#started;
    try {
      return (await pool.run(task)) as TaskAnswer;
    } catch (cause) {
      if ((cause as { readonly code?: unknown } | undefined)?.code !== "ERR_WORKER_OUT_OF_MEMORY") throw ended(cause);
      throw new TableError("UNAVAILABLE", "A reader thread ran out of memory. Select fewer or smaller columns.", {
        cause,
      });
    }
  }

  /** Ends the threads. Windows that they were reading are read by whoever wants them. */
  async close(): Promise<void> {
    this.#closed = true;
    const pool = await this.#started?.catch(() => undefined);
    await pool?.destroy();
  }

  async #start(): Promise<Piscina> {
    const { Piscina } = await import("piscina").catch((cause) => {
      throw new TableError(
        "NOT_SUPPORTED",
        "Reader threads need the package piscina: install it (npm install piscina), or connect without `readers`.",
        {
          details: { package: "piscina" },
          cause,
        },
      );
    });
    const pool = new Piscina({
      filename: this.#entry.href,
      minThreads: this.threads,
      maxThreads: this.threads,
      concurrentTasksPerWorker: TASKS_PER_THREAD,
      stricterFIFO: true,
      recordTiming: false,
    });
    // A thread that cannot be replaced: nobody would ever take the windows that wait for one.
    pool.on("error", () => {
      this.#started = undefined;
      void pool.destroy();
    });
    try {
      await pool.run(undefined);
      return pool;
    } catch (cause) {
      this.#started = undefined;
      await pool.destroy();
      throw new TableError(
        "UNAVAILABLE",
        `Reader threads could not be started from ${this.#entry.href}. A bundle has to leave joust outside; or connect without \`readers\`.`,
        {
          details: { entry: this.#entry.href },
          cause,
        },
      );
    }
  }
}

function ended(cause: unknown): TableError {
  return new TableError("CLOSED", "The reader thread ended before it had read its window.", { cause });
}

/**
 * Rows of any number, staged as fragments while they arrive: the source is read only as fast as files are written, so
 * that memory holds one fragment at most.
 */
import type { RecordBatch } from "apache-arrow";
import type { Fragment } from "../format/fragment.js";
import { FRAGMENT_ROWS_MAX, type StageContext, type StagedRows, stageRows, whenAll } from "./stage.js";

/** Bytes of Arrow buffers that make a fragment of a stream. */
const FRAGMENT_BYTES = 64 * 1024 * 1024;

export class StagedStream {
  readonly #context: StageContext;
  readonly #fragments: Fragment[] = [];
  readonly #paths: string[] = [];
  #rows = 0;
  #sizeBytes = 0;

  constructor(context: StageContext) {
    this.#context = context;
  }

  /**
   * Stages everything. When the source or a write fails, the files staged so far are removed before it is thrown.
   * Batches that are all there already are staged in one go.
   */
  async consume(
    batches: readonly RecordBatch[] | AsyncIterable<RecordBatch>,
    onProgress: (rows: number, sizeBytes: number) => void = () => {},
  ): Promise<StagedRows> {
    if (!(Symbol.asyncIterator in batches)) {
      const staged = await stageRows(batches, this.#context);
      onProgress(staged.rows, staged.sizeBytes);
      return staged;
    }
    try {
      let held: RecordBatch[] = [];
      let rows = 0;
      let bytes = 0;
      for await (const batch of batches) {
        held.push(batch);
        rows += batch.numRows;
        bytes += batch.data.byteLength;
        if (rows < FRAGMENT_ROWS_MAX && bytes < FRAGMENT_BYTES) continue;
        await this.#flush(held, onProgress);
        held = [];
        rows = 0;
        bytes = 0;
      }
      await this.#flush(held, onProgress);
    } catch (error) {
      await whenAll(this.#paths.map((path) => this.#context.store.delete(path))).catch(() => {});
      throw error;
    }
    return {
      fragments: this.#fragments,
      paths: this.#paths,
      rows: this.#rows,
      sizeBytes: this.#sizeBytes,
      written: Promise.resolve(),
    };
  }

  async #flush(batches: readonly RecordBatch[], onProgress: (rows: number, sizeBytes: number) => void): Promise<void> {
    const staged = await stageRows(batches, this.#context);
    this.#fragments.push(...staged.fragments);
    this.#paths.push(...staged.paths);
    this.#rows += staged.rows;
    this.#sizeBytes += staged.sizeBytes;
    await staged.written;
    onProgress(this.#rows, this.#sizeBytes);
  }
}

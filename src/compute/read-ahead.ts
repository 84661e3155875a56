/**
 * Runs tasks a few at a time and gives their results in the order of the tasks.
 *
 * The window of tasks under way is what bounds a scan's memory. When the consumer stops early, no further task starts.
 */

/** @param ahead how many tasks may run or wait with a result beside the one that is being consumed */
export async function* readAhead<T, R>(
  tasks: Iterable<T>,
  ahead: number,
  run: (task: T) => Promise<R>,
): AsyncGenerator<R, void, undefined> {
  const iterator = tasks[Symbol.iterator]();
  const running: Promise<R>[] = [];
  let exhausted = false;
  const start = () => {
    const next = iterator.next();
    if (next.done === true) {
      exhausted = true;
      return;
    }
    const result = run(next.value);
    // A failure behind the one that the consumer sees is nobody's to catch.
    result.catch(() => undefined);
    running.push(result);
  };
  try {
    for (;;) {
      while (!exhausted && running.length <= ahead) start();
      const first = running.shift();
      if (first === undefined) return;
      const result = await first;
      yield result;
    }
  } finally {
    iterator.return?.();
    await Promise.allSettled(running);
  }
}

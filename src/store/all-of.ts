/** Several waits as one. */

/** Waits for all of them, also when one rejects, because they use what the caller is about to close. */
export async function allOf(waits: readonly Promise<void>[]): Promise<void> {
  for (const result of await Promise.allSettled(waits)) {
    if (result.status === "rejected") throw result.reason;
  }
}

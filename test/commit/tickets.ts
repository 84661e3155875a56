/** Lines of waiting writers in memory, where the store has no names to give. */
import { LINE } from "../../src/commit/writer-line.js";
import type { ObjectStore } from "../../src/store/contract.js";
import { TableError } from "../../src/support/errors.js";

/** Lets writers of `store` take tickets. */
export function withTickets<S extends ObjectStore>(store: S): S {
  store.alias = async (path, name) => {
    if ((await store.head(path)) === undefined) throw new TableError("NOT_FOUND", path);
    return (await store.create(name, [], { durable: false })) === "created";
  };
  return store;
}

/** The numbers in the line. */
export async function ticketsOf(store: ObjectStore): Promise<number[]> {
  return (await store.list(LINE)).filter(({ kind }) => kind === "object").map(({ name }) => Number(name));
}

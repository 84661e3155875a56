/**
 * A store that counts the syncs which its callers ask for.
 *
 * Counted is what has to be made durable: each file, and for each call the directory of its name. The store below may
 * serve directories that are asked for at the same moment by one sync.
 */
import type { ObjectStore, StagedObject } from "./contract.js";
import { parentOf } from "./paths.js";

/** `store`, with `onSyncs` told of the syncs of every call that succeeded. */
export function countingSyncs(store: ObjectStore, onSyncs: (syncs: number) => void): ObjectStore {
  const after = async <T>(call: Promise<T>, syncs: number): Promise<T> => {
    const value = await call;
    onSyncs(syncs);
    return value;
  };
  const { host, join, deleteEmpty } = store;
  return {
    ...(host === undefined ? {} : { host: (path, ...rest) => host.call(store, path, ...rest) }),
    ...(join === undefined ? {} : { join: (path) => join.call(store, path) }),
    ...(deleteEmpty === undefined ? {} : { deleteEmpty: (path) => deleteEmpty.call(store, path) }),
    scheme: store.scheme,
    display: store.display,
    get: (path) => store.get(path),
    open: (path) => store.open(path),
    head: (path) => store.head(path),
    list: (path, options) => store.list(path, options),
    write: (path, chunks, options) => after(store.write(path, chunks, options), options.durable ? 2 : 0),
    replace: (path, chunks, options) => after(store.replace(path, chunks, options), options.durable ? 2 : 0),
    create: (path, chunks, options) => after(store.create(path, chunks, options), options.durable ? 2 : 0),
    async stage(path, chunks, options): Promise<StagedObject> {
      const staged = await after(store.stage(path, chunks, options), options.durable ? 1 : 0);
      if (!options.durable) return staged;
      return {
        publish: async (named) => {
          const outcome = await staged.publish(named);
          if (outcome === "created") onSyncs(1);
          return outcome;
        },
        discard: () => staged.discard(),
      };
    },
    sync: (paths) => after(store.sync(paths), paths.length + new Set(paths.map(parentOf)).size),
    delete: (path) => store.delete(path),
    deleteTree: (path) => store.deleteTree(path),
    probe: () => store.probe(),
    close: () => store.close(),
  };
}

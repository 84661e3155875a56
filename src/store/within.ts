/**
 * A store that sees only what lies below one directory of another store: how a table gets a store of its own.
 *
 * Paths in and out are relative to that directory, so nothing in the table layer can name an object outside it.
 */
import type { ObjectStore } from "./contract.js";
import { checkPath } from "./paths.js";

/** A view of `store` with `directory` as its root. Closing the view leaves `store` open. */
export function within(store: ObjectStore, directory: string): ObjectStore {
  checkPath(directory);
  const at = (path: string) => {
    checkPath(path);
    return `${directory}/${path}`;
  };
  const { host, join, deleteEmpty } = store;
  return {
    ...(host === undefined ? {} : { host: async (path, ...rest) => host.call(store, at(path), ...rest) }),
    ...(join === undefined ? {} : { join: async (path) => join.call(store, at(path)) }),
    ...(deleteEmpty === undefined ? {} : { deleteEmpty: async (path) => deleteEmpty.call(store, at(path)) }),
    scheme: store.scheme,
    display: `${store.display}/${directory}`,
    get: async (path) => store.get(at(path)),
    async open(path) {
      const handle = await store.open(at(path));
      return {
        path,
        sizeBytes: handle.sizeBytes,
        identity: handle.identity,
        read: (start, end, into) => handle.read(start, end, into),
        close: () => handle.close(),
      };
    },
    head: async (path) => store.head(at(path)),
    list: async (path, options) => store.list(path === "" ? directory : at(path), options),
    write: async (path, chunks, options) => store.write(at(path), chunks, options),
    replace: async (path, chunks, options) => store.replace(at(path), chunks, options),
    create: async (path, chunks, options) => store.create(at(path), chunks, options),
    stage: async (path, chunks, options) => store.stage(at(path), chunks, options),
    sync: async (paths) => store.sync(paths.map(at)),
    delete: async (path) => store.delete(at(path)),
    deleteTree: async (path) => store.deleteTree(at(path)),
    probe: () => store.probe(),
    close: async () => {},
  };
}

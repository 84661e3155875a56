/**
 * A store that sees only what lies below one directory of another store: how a table gets a store of its own.
 *
 * Paths in and out are relative to that directory, so nothing in the table layer can name an object outside it.
 */
import type { ListEntry, ObjectStore } from "./contract.js";
import { checkPath } from "./paths.js";

/** A view of `store` with `directory` as its root. Closing the view leaves `store` open. */
export function within(store: ObjectStore, directory: string): ObjectStore {
  checkPath(directory);
  const at = (path: string) => {
    checkPath(path);
    return `${directory}/${path}`;
  };
  const below = (path: string) => (path === "" ? directory : at(path));
  return {
    scheme: store.scheme,
    display: `${store.display}/${directory}`,
    get: (path) => store.get(at(path)),
    open: (path) => store.open(at(path)),
    head: (path) => store.head(at(path)),
    list: (path, options): Promise<readonly ListEntry[]> => store.list(below(path), options),
    write: (path, chunks, options) => store.write(at(path), chunks, options),
    replace: (path, chunks, options) => store.replace(at(path), chunks, options),
    create: (path, chunks, options) => store.create(at(path), chunks, options),
    stage: (path, chunks, options) => store.stage(at(path), chunks, options),
    sync: (paths) => store.sync(paths.map(at)),
    delete: (path) => store.delete(at(path)),
    deleteTree: (path) => store.deleteTree(below(path)),
    probe: () => store.probe(),
    close: async () => {},
  };
}

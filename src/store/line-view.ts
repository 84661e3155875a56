/**
 * The store of one line of a table, the main one or a branch: it writes in its own directory only.
 *
 * Two kinds of paths lead out of that directory: what all lines of a table share (references, the directory of the
 * branches), and, for reading only, `_base/{id}/…`: files that the line inherited from the one it was forked from.
 * So nothing that works on a branch can change what the main line needs.
 */
import { isTableError, TableError } from "../support/errors.js";
import type { ObjectStore } from "./contract.js";
import { checkPath } from "./paths.js";
import { within } from "./within.js";

/** First segment of the paths of inherited files. */
export const INHERITED = "_base";

export interface LineView {
  /** Below the table's directory; "" for the main line. */
  readonly directory: string;
  /** First segments of the paths that all lines share. */
  readonly shared: readonly string[];
  /** The directory, below the table's, that the number of a base stands for. @throws NOT_SUPPORTED */
  readonly directoryOf: (base: number, path: string) => string;
}

/** @param table the store of the whole table */
export function lineView(table: ObjectStore, line: LineView): ObjectStore {
  const own = line.directory === "" ? table : within(table, line.directory);
  const { host, join } = own;
  const { deleteEmpty } = table;
  const place = (path: string): readonly [ObjectStore, string] => {
    checkPath(path);
    const [first, base, ...rest] = path.split("/");
    if (line.shared.includes(first as string)) return [table, path];
    if (first !== INHERITED) return [own, path];
    const directory = line.directoryOf(Number(base), path);
    return [table, [...(directory === "" ? [] : [directory]), ...rest].join("/")];
  };
  const forWriting = (path: string): readonly [ObjectStore, string] => {
    if (path.startsWith(`${INHERITED}/`)) {
      throw new TableError("INTERNAL", `A branch never changes inherited files (${path}). Please report it.`);
    }
    return place(path);
  };
  // The files of another table are not ours to make durable.
  const placeIfHere = (path: string): string[] => {
    try {
      return [place(path)[1]];
    } catch (error) {
      if (isTableError(error, "NOT_SUPPORTED")) return [];
      throw error;
    }
  };
  const onReading = <T>(path: string, read: (store: ObjectStore, path: string) => Promise<T>) => read(...place(path));
  const onWriting = <T>(path: string, write: (store: ObjectStore, path: string) => Promise<T>) =>
    write(...forWriting(path));
  return {
    ...(host === undefined ? {} : { host: (path, ...rest) => host.call(own, path, ...rest) }),
    ...(join === undefined ? {} : { join: (path) => join.call(own, path) }),
    ...(deleteEmpty === undefined
      ? {}
      : { deleteEmpty: async (path) => onWriting(path, async (store, at) => store.deleteEmpty?.(at)) }),
    scheme: own.scheme,
    display: own.display,
    get: async (path) => onReading(path, (store, at) => store.get(at)),
    open: async (path) => onReading(path, (store, at) => store.open(at)),
    head: async (path) => onReading(path, (store, at) => store.head(at)),
    list: async (path, options) =>
      path === "" ? own.list(path, options) : onReading(path, (store, at) => store.list(at, options)),
    write: async (path, chunks, options) => onWriting(path, (store, at) => store.write(at, chunks, options)),
    replace: async (path, chunks, options) => onWriting(path, (store, at) => store.replace(at, chunks, options)),
    create: async (path, chunks, options) => onWriting(path, (store, at) => store.create(at, chunks, options)),
    stage: async (path, chunks, options) => onWriting(path, (store, at) => store.stage(at, chunks, options)),
    delete: async (path) => onWriting(path, (store, at) => store.delete(at)),
    deleteTree: async (path) => onWriting(path, (store, at) => store.deleteTree(at)),
    async sync(paths) {
      const mine = paths.filter((path) => !path.startsWith(`${INHERITED}/`));
      const inherited = paths.filter((path) => path.startsWith(`${INHERITED}/`)).flatMap(placeIfHere);
      if (inherited.length > 0) await table.sync(inherited);
      if (mine.length > 0) await own.sync(mine);
    },
    probe: () => own.probe(),
    close: async () => {},
  };
}

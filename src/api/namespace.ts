/** Namespaces, which LanceDB's methods take before their options: a database here is one flat list of tables. */
import { TableError } from "../support/errors.js";
import { type OptionKeys, optionsOf, shown } from "./arguments.js";

export type Namespace = readonly string[];

/** The namespace and the options of a call, either of which may be left out. */
export function splitNamespace<O extends object>(
  first: Namespace | O | undefined,
  last: O,
  keys: OptionKeys<O>,
): readonly [Namespace, Partial<O>] {
  const [namespace, options] = Array.isArray(first)
    ? [first as Namespace, last]
    : [[], (first as O | undefined) ?? last];
  return [namespace, optionsOf(options, "The options", keys)];
}

function notAList(namespace: unknown): TableError {
  return new TableError(
    "INVALID_ARGUMENT",
    `The namespace is ${shown(namespace)}; it has to be an array, or left out.`,
  );
}

/** @throws NOT_SUPPORTED unless it is the root, INVALID_ARGUMENT */
export function checkNamespace(namespace: Namespace): void {
  if (!Array.isArray(namespace)) throw notAList(namespace);
  if (namespace.length === 0) return;
  throw new TableError("NOT_SUPPORTED", "Namespaces are not supported: a database is one flat list of tables.", {
    details: { namespace: [...namespace] },
  });
}

/** Namespaces, which LanceDB's methods take before their options: a database here is one flat list of tables. */
import { TableError } from "../support/errors.js";

export type Namespace = readonly string[];

/** The namespace and the options of a call, either of which may be left out. */
export function splitNamespace<O extends object>(first: Namespace | O | undefined, last: O): readonly [Namespace, O] {
  return Array.isArray(first) ? [first as Namespace, last] : [[], (first as O | undefined) ?? last];
}

/** @throws NOT_SUPPORTED unless it is the root */
export function checkNamespace(namespace: Namespace): void {
  if (namespace.length === 0) return;
  throw new TableError("NOT_SUPPORTED", "Namespaces are not supported: a database is one flat list of tables.", {
    details: { namespace: [...namespace] },
  });
}

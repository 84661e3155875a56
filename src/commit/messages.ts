/** What processes that write one table say to each other. Both ends are this package, of the same version of Node. */
import { deserialize, serialize } from "node:v8";

/** Changes with every change of what is said. */
const PROTOCOL = 1;

/** From a process that writes to the one that leads. */
export type FromFollower =
  | { readonly kind: "commit"; readonly id: number; readonly writes: unknown }
  /** Asks for a turn to commit by itself; `done` ends it. */
  | { readonly kind: "turn" | "done"; readonly id: number };

/** From the process that leads. */
export type FromLeader =
  /** The newest version that it knows: what is asked for from now on is in none up to it. */
  | { readonly kind: "hello"; readonly head: number }
  | { readonly kind: "answer"; readonly id: number; readonly answer: unknown }
  | { readonly kind: "go"; readonly id: number }
  | { readonly kind: "alive" };

/** @throws when `message` contains what cannot be sent (functions, proxies, ...) */
export function encode(message: FromFollower | FromLeader): Uint8Array {
  return serialize([PROTOCOL, message]);
}

/** undefined for what is not of this protocol. */
export function decode<M extends FromFollower | FromLeader>(bytes: Uint8Array): M | undefined {
  try {
    const decoded: unknown = deserialize(bytes);
    return Array.isArray(decoded) && decoded[0] === PROTOCOL ? (decoded[1] as M) : undefined;
  } catch {
    return undefined;
  }
}

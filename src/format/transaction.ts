/**
 * The record of one commit: the version it was computed on, its id, and what it did.
 *
 * Stands in the manifest file of the version it made, and perhaps in a file of its own; either is enough.
 * Message layout: lance-format transaction.proto, Transaction.
 */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { Operation } from "./operation.js";
import { fromMessage, toMessage } from "./operation-codec.js";
import * as pb from "./protos/transaction_pb.js";
import { unknownOf, withUnknown } from "./unknown-fields.js";
import { concat, corrupt, safeNumber, WireReader } from "./wire.js";
import { WIRE_BYTES, WireWriter } from "./wire-writer.js";

export type { Operation, OperationKind, UpdateMap } from "./operation.js";

export interface Transaction {
  /** 0 for the creation of a table. */
  readonly readVersion: number;
  readonly uuid: string;
  readonly tag: string;
  readonly properties: ReadonlyMap<string, string>;
  readonly operation: Operation;
  /** Fields that are not known, as encoded. */
  readonly unknown?: Uint8Array;
}

/** Field numbers from here on are operations. */
const OPERATION_FIELD_MIN = 100;

/** A Transaction message: the content of a `.txn` file, and of the section in a manifest file. */
export function encodeTransaction(transaction: Transaction): Uint8Array {
  const { operation } = transaction;
  const message = create(pb.TransactionSchema, {
    readVersion: BigInt(transaction.readVersion),
    uuid: transaction.uuid,
    tag: transaction.tag,
    properties: [...transaction.properties].map(([key, value]) => ({ key, value })),
    operation: toMessage(operation),
  });
  withUnknown(message, transaction.unknown);
  if (operation.kind === "unknown") {
    const field = new WireWriter();
    field.data(operation.fieldNumber, operation.bytes);
    withUnknown(message, field.finish());
  }
  return toBinary(pb.TransactionSchema, message);
}

/**
 * @param path of the file that holds the message, for errors
 * @throws CORRUPT, also when it names no operation
 */
export function decodeTransaction(bytes: Uint8Array, path: string): Transaction {
  const message = parse(bytes, path);
  const unknown = unknownOperation(message, path);
  const operation = unknown ?? fromMessage(message.operation, path);
  if (operation === undefined) throw corrupt(path, 0, "the transaction names no operation");
  return {
    readVersion: safeNumber(message.readVersion, path),
    uuid: message.uuid,
    tag: message.tag,
    properties: new Map(message.properties.map(({ key, value }) => [key, value])),
    operation,
    ...unknownOf(message, unknown?.fieldNumber),
  };
}

function parse(bytes: Uint8Array, path: string): pb.Transaction {
  try {
    return fromBinary(pb.TransactionSchema, bytes);
  } catch (cause) {
    throw corrupt(path, 0, "it is no transaction", cause);
  }
}

/** An operation that this version has no description of, so that it can be told apart from none at all. */
function unknownOperation(message: pb.Transaction, path: string): Extract<Operation, { kind: "unknown" }> | undefined {
  const field = message.$unknown?.find(({ no, wireType }) => no >= OPERATION_FIELD_MIN && wireType === WIRE_BYTES);
  if (field === undefined || message.operation.case !== undefined) return undefined;
  // The library keeps the length in front of the value.
  const reader = new WireReader(concat([Uint8Array.of(WIRE_BYTES + 8), field.data]), path);
  reader.next();
  return { kind: "unknown", fieldNumber: field.no, bytes: reader.view() };
}

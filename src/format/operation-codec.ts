/**
 * Operations as generated messages and back.
 *
 * Message layout: lance-format transaction.proto.
 */
import { create } from "@bufbuild/protobuf";
import { unreachable } from "../support/errors.js";
import { entriesOf, mapOf, updateConfigMessage, updateConfigOf } from "./config-codec.js";
import { decodeField, encodeField } from "./field.js";
import { decodeFragment, encodeFragment, type Fragment, readDataFile, writeDataFile } from "./fragment.js";
import { decodeIndexEntry } from "./index-section.js";
import { type BasePath, readBasePath, writeBasePath } from "./manifest-parts.js";
import type { Operation, RewriteGroup } from "./operation.js";
import * as pb from "./protos/transaction_pb.js";
import type { LanceField } from "./schema.js";
import { unknownOf, withUnknown } from "./unknown-fields.js";
import { corrupt, safeNumber, WireReader } from "./wire.js";
import { WireWriter } from "./wire-writer.js";

type Encoded = pb.Transaction["operation"];
type Of<K extends Operation["kind"]> = Extract<Operation, { kind: K }>;

/** The message's `operation`; nothing for an operation that is kept as an unknown field. */
export function toMessage(operation: Operation): Encoded {
  const kept = operation.unknown;
  switch (operation.kind) {
    case "append":
      return {
        case: "append",
        value: withUnknown(create(pb.AppendSchema, { fragments: encodeAll(operation.fragments) }), kept),
      };
    case "delete":
      return { case: "delete", value: withUnknown(deleteMessage(operation), kept) };
    case "overwrite":
      return { case: "overwrite", value: withUnknown(overwriteMessage(operation), kept) };
    case "create_index":
      return { case: "createIndex", value: withUnknown(createIndexMessage(operation), kept) };
    case "rewrite":
      return { case: "rewrite", value: withUnknown(rewriteMessage(operation), kept) };
    case "merge":
      return { case: "merge", value: withUnknown(mergeMessage(operation), kept) };
    case "restore":
      return { case: "restore", value: withUnknown(restoreMessage(operation), kept) };
    case "reserve_fragments":
      return {
        case: "reserveFragments",
        value: withUnknown(create(pb.ReserveFragmentsSchema, { count: operation.count }), kept),
      };
    case "update":
      return { case: "update", value: withUnknown(updateMessage(operation), kept) };
    case "project":
      return { case: "project", value: withUnknown(projectMessage(operation), kept) };
    case "update_config":
      return { case: "updateConfig", value: withUnknown(updateConfigMessage(operation), kept) };
    case "data_replacement":
      return { case: "dataReplacement", value: withUnknown(dataReplacementMessage(operation), kept) };
    case "clone":
      return { case: "clone", value: withUnknown(cloneMessage(operation), kept) };
    case "unknown":
      return { case: undefined };
    default:
      return unreachable(operation);
  }
}

/** The operation of a message, undefined when it has none. @throws CORRUPT */
export function fromMessage(encoded: Encoded, path: string): Operation | undefined {
  switch (encoded.case) {
    case "append":
      return { kind: "append", fragments: decodeAll(encoded.value.fragments, path), ...unknownOf(encoded.value) };
    case "delete":
      return deleteOf(encoded.value, path);
    case "overwrite":
      return overwriteOf(encoded.value, path);
    case "createIndex":
      return createIndexOf(encoded.value, path);
    case "rewrite":
      return rewriteOf(encoded.value, path);
    case "merge":
      return mergeOf(encoded.value, path);
    case "restore":
      return { kind: "restore", version: safeNumber(encoded.value.version, path), ...unknownOf(encoded.value) };
    case "reserveFragments":
      return { kind: "reserve_fragments", count: encoded.value.count, ...unknownOf(encoded.value) };
    case "update":
      return updateOf(encoded.value, path);
    case "project":
      return projectOf(encoded.value, path);
    case "updateConfig":
      return updateConfigOf(encoded.value);
    case "dataReplacement":
      return dataReplacementOf(encoded.value, path);
    case "clone":
      return cloneOf(encoded.value, path);
    case undefined:
      return undefined;
    default:
      return unreachable(encoded);
  }
}

function deleteMessage(operation: Of<"delete">): pb.Delete {
  return create(pb.DeleteSchema, {
    updatedFragments: encodeAll(operation.updatedFragments),
    deletedFragmentIds: operation.deletedFragmentIds.map(BigInt),
    predicate: operation.predicate,
  });
}

function deleteOf(message: pb.Delete, path: string): Operation {
  return {
    kind: "delete",
    updatedFragments: decodeAll(message.updatedFragments, path),
    deletedFragmentIds: message.deletedFragmentIds.map((id) => safeNumber(id, path)),
    predicate: message.predicate,
    ...unknownOf(message),
  };
}

function overwriteMessage(operation: Of<"overwrite">): pb.Overwrite {
  return create(pb.OverwriteSchema, {
    fragments: encodeAll(operation.fragments),
    fields: operation.fields.map(encodeField),
    schemaMetadata: entriesOf(operation.schemaMetadata),
    configUpserts: entriesOf(operation.configUpserts),
    initialBases: (operation.initialBases ?? []).map(encodeBasePath),
  });
}

function overwriteOf(message: pb.Overwrite, path: string): Operation {
  const bases = message.initialBases.map((bytes) => readBasePath(new WireReader(bytes, path)));
  return {
    kind: "overwrite",
    fragments: decodeAll(message.fragments, path),
    fields: decodeFields(message.fields, path),
    schemaMetadata: mapOf(message.schemaMetadata),
    configUpserts: mapOf(message.configUpserts),
    ...(bases.length === 0 ? {} : { initialBases: bases }),
    ...unknownOf(message),
  };
}

function createIndexMessage(operation: Of<"create_index">): pb.CreateIndex {
  return create(pb.CreateIndexSchema, {
    newIndices: operation.newIndices.map(({ raw }) => raw),
    removedIndices: operation.removedIndices.map(({ raw }) => raw),
  });
}

function createIndexOf(message: pb.CreateIndex, path: string): Operation {
  return {
    kind: "create_index",
    newIndices: message.newIndices.map((raw) => decodeIndexEntry(raw, path)),
    removedIndices: message.removedIndices.map((raw) => decodeIndexEntry(raw, path)),
    ...unknownOf(message),
  };
}

function rewriteMessage(operation: Of<"rewrite">): pb.Rewrite {
  return create(pb.RewriteSchema, {
    groups: operation.groups.map((group) =>
      withUnknown(
        create(pb.RewriteGroupSchema, {
          oldFragments: encodeAll(group.oldFragments),
          newFragments: encodeAll(group.newFragments),
        }),
        group.unknown,
      ),
    ),
    rewrittenIndices: [...operation.rewrittenIndices],
  });
}

function rewriteOf(message: pb.Rewrite, path: string): Operation {
  const groupOf = (group: pb.RewriteGroup | pb.Rewrite): RewriteGroup => ({
    oldFragments: decodeAll(group.oldFragments, path),
    newFragments: decodeAll(group.newFragments, path),
  });
  const groups = message.groups.map((group) => ({ ...groupOf(group), ...unknownOf(group) }));
  if (message.oldFragments.length > 0 || message.newFragments.length > 0) groups.unshift(groupOf(message));
  return { kind: "rewrite", groups, rewrittenIndices: message.rewrittenIndices, ...unknownOf(message) };
}

function mergeMessage(operation: Of<"merge">): pb.Merge {
  return create(pb.MergeSchema, {
    fragments: encodeAll(operation.fragments),
    fields: operation.fields.map(encodeField),
    schemaMetadata: entriesOf(operation.schemaMetadata),
    preservesNullability: operation.preservesNullability,
  });
}

function mergeOf(message: pb.Merge, path: string): Operation {
  return {
    kind: "merge",
    fragments: decodeAll(message.fragments, path),
    fields: decodeFields(message.fields, path),
    schemaMetadata: mapOf(message.schemaMetadata),
    preservesNullability: message.preservesNullability,
    ...unknownOf(message),
  };
}

function restoreMessage(operation: Of<"restore">): pb.Restore {
  return create(pb.RestoreSchema, { version: BigInt(operation.version) });
}

function updateMessage(operation: Of<"update">): pb.Update {
  return create(pb.UpdateSchema, {
    removedFragmentIds: operation.removedFragmentIds.map(BigInt),
    updatedFragments: encodeAll(operation.updatedFragments),
    newFragments: encodeAll(operation.newFragments),
    fieldsModified: [...operation.fieldsModified],
    fieldsForPreservingFragBitmap: [...(operation.fieldsForPreservingFragBitmap ?? [])],
    mode: operation.mode === "rows" ? 0 : 1,
    ...(operation.keyFilter === undefined ? {} : { keyFilter: operation.keyFilter }),
  });
}

function updateOf(message: pb.Update, path: string): Operation {
  if (message.mode > 1) throw corrupt(path, 0, `update mode ${message.mode} is not known`);
  const preserving = message.fieldsForPreservingFragBitmap;
  return {
    kind: "update",
    removedFragmentIds: message.removedFragmentIds.map((id) => safeNumber(id, path)),
    updatedFragments: decodeAll(message.updatedFragments, path),
    newFragments: decodeAll(message.newFragments, path),
    fieldsModified: message.fieldsModified,
    ...(preserving.length === 0 ? {} : { fieldsForPreservingFragBitmap: preserving }),
    mode: message.mode === 0 ? "rows" : "columns",
    ...(message.keyFilter === undefined ? {} : { keyFilter: message.keyFilter }),
    ...unknownOf(message),
  };
}

function projectMessage(operation: Of<"project">): pb.Project {
  return create(pb.ProjectSchema, {
    fields: operation.fields.map(encodeField),
    preservesNullability: operation.preservesNullability,
  });
}

function projectOf(message: pb.Project, path: string): Operation {
  return {
    kind: "project",
    fields: decodeFields(message.fields, path),
    preservesNullability: message.preservesNullability,
    ...unknownOf(message),
  };
}

function dataReplacementMessage(operation: Of<"data_replacement">): pb.DataReplacement {
  return create(pb.DataReplacementSchema, {
    replacements: operation.replacements.map(({ fragmentId, file }) => {
      const writer = new WireWriter();
      writeDataFile(writer, file);
      return { fragmentId: BigInt(fragmentId), newFile: writer.finish() };
    }),
  });
}

function dataReplacementOf(message: pb.DataReplacement, path: string): Operation {
  const replacements = message.replacements.map(({ fragmentId, newFile }) => ({
    fragmentId: safeNumber(fragmentId, path),
    file: readDataFile(new WireReader(newFile, path)),
  }));
  return { kind: "data_replacement", replacements, ...unknownOf(message) };
}

function cloneMessage({ refName, branchName, ...operation }: Of<"clone">): pb.Clone {
  return create(pb.CloneSchema, {
    isShallow: operation.isShallow,
    refVersion: BigInt(operation.refVersion),
    refPath: operation.refPath,
    ...(refName === undefined ? {} : { refName }),
    ...(branchName === undefined ? {} : { branchName }),
  });
}

function cloneOf(message: pb.Clone, path: string): Operation {
  return {
    kind: "clone",
    isShallow: message.isShallow,
    refVersion: safeNumber(message.refVersion, path),
    refPath: message.refPath,
    ...(message.refName === undefined ? {} : { refName: message.refName }),
    ...(message.branchName === undefined ? {} : { branchName: message.branchName }),
    ...unknownOf(message),
  };
}

function encodeAll(fragments: readonly Fragment[]): Uint8Array[] {
  return fragments.map(encodeFragment);
}

function decodeAll(messages: readonly Uint8Array[], path: string): Fragment[] {
  return messages.map((bytes) => decodeFragment(bytes, path));
}

function decodeFields(messages: readonly Uint8Array[], path: string): LanceField[] {
  return messages.map((bytes) => decodeField(bytes, path));
}

function encodeBasePath(base: BasePath): Uint8Array {
  const writer = new WireWriter();
  writeBasePath(writer, base);
  return writer.finish();
}

/**
 * Config updates as generated messages and back, in today's form and in that of old writers.
 *
 * Message layout: lance-format transaction.proto, UpdateConfig.
 */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type { OldConfigUpdate, Operation, UpdateMap } from "./operation.js";
import * as pb from "./protos/transaction_pb.js";
import { unknownOf } from "./unknown-fields.js";

type ConfigUpdate = Extract<Operation, { kind: "update_config" }>;

export function updateConfigMessage({ old, ...operation }: ConfigUpdate): pb.UpdateConfig {
  return create(pb.UpdateConfigSchema, {
    ...(operation.config === undefined ? {} : { config: updateMapMessage(operation.config) }),
    ...(operation.tableMetadata === undefined ? {} : { tableMetadata: updateMapMessage(operation.tableMetadata) }),
    ...(operation.schemaMetadata === undefined ? {} : { schemaMetadata: updateMapMessage(operation.schemaMetadata) }),
    fieldMetadata: [...operation.fieldMetadata].map(([key, map]) => ({ key, value: updateMapMessage(map) })),
    ...(old === undefined
      ? {}
      : {
          upsertValues: entriesOf(old.upserts),
          deleteKeys: [...old.deletedKeys],
          oldSchemaMetadata: entriesOf(old.schemaMetadata),
          oldFieldMetadata: [...old.fieldMetadata].map(([key, map]) => ({ key, value: { metadata: entriesOf(map) } })),
        }),
  });
}

export function updateConfigOf(message: pb.UpdateConfig): Operation {
  const old: OldConfigUpdate = {
    upserts: mapOf(message.upsertValues),
    deletedKeys: message.deleteKeys,
    schemaMetadata: mapOf(message.oldSchemaMetadata),
    fieldMetadata: new Map(message.oldFieldMetadata.map(({ key, value }) => [key, mapOf(value?.metadata ?? [])])),
  };
  const isOld = old.upserts.size + old.deletedKeys.length + old.schemaMetadata.size + old.fieldMetadata.size > 0;
  const { config, tableMetadata, schemaMetadata } = message;
  return {
    kind: "update_config",
    ...(config === undefined ? {} : { config: updateMapOf(config) }),
    ...(tableMetadata === undefined ? {} : { tableMetadata: updateMapOf(tableMetadata) }),
    ...(schemaMetadata === undefined ? {} : { schemaMetadata: updateMapOf(schemaMetadata) }),
    fieldMetadata: new Map(message.fieldMetadata.map(({ key, value }) => [key, updateMapOf(value)])),
    ...(isOld ? { old } : {}),
    ...unknownOf(message),
  };
}

function updateMapMessage(map: UpdateMap): MessageInitShape<typeof pb.UpdateMapSchema> {
  return { entries: [...map.entries], replace: map.replace };
}

function updateMapOf(message: pb.UpdateMap | undefined): UpdateMap {
  const entries = (message?.entries ?? []).map(({ key, value }) => (value === undefined ? { key } : { key, value }));
  return { entries, replace: message?.replace ?? false };
}

export function entriesOf<T>(map: ReadonlyMap<string, T>): { key: string; value: T }[] {
  return [...map].map(([key, value]) => ({ key, value }));
}

export function mapOf<T>(entries: readonly { readonly key: string; readonly value: T }[]): Map<string, T> {
  return new Map(entries.map(({ key, value }) => [key, value]));
}

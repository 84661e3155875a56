/**
 * Fields that a generated message does not know, as encoded bytes and back.
 *
 * Format: protobuf encoding specification.
 */
import type { Message } from "@bufbuild/protobuf";
import { BinaryReader, BinaryWriter } from "@bufbuild/protobuf/wire";

/** To be spread into a record: `unknown` with the message's unknown fields, nothing when there are none. */
export function unknownOf(message: Message, except?: number): { readonly unknown?: Uint8Array } {
  const fields = (message.$unknown ?? []).filter(({ no }) => no !== except);
  if (fields.length === 0) return {};
  const writer = new BinaryWriter();
  for (const { no, wireType, data } of fields) writer.tag(no, wireType).raw(data);
  return { unknown: writer.finish() };
}

/** The message with these unknown fields added. */
export function withUnknown<T extends Message>(message: T, unknown: Uint8Array | undefined): T {
  if (unknown === undefined) return message;
  const reader = new BinaryReader(unknown);
  const fields = message.$unknown ?? [];
  while (reader.pos < reader.len) {
    const [no, wireType] = reader.tag();
    fields.push({ no, wireType, data: reader.skip(wireType, no) });
  }
  message.$unknown = fields;
  return message;
}

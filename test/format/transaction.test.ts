import fc from "fast-check";
import { expect, test } from "vitest";
import {
  decodeIndexEntry,
  decodeIndexSection,
  encodeIndexSection,
  type IndexEntry,
} from "../../src/format/index-section.js";
import type { Operation, UpdateMap } from "../../src/format/operation.js";
import { decodeTransaction, encodeTransaction, type Transaction } from "../../src/format/transaction.js";
import { WireWriter } from "../../src/format/wire-writer.js";
import { list, read, TABLES } from "../golden/format-tables.js";
import { bytesMap, field, fragments, textMap, u53 } from "./arbitraries.js";
import { damaged, expectTyped } from "./damage.js";

const PATH = "_transactions/1-x.txn";

const text = fc.string({ maxLength: 8 });
const key = fc.oneof(text, fc.constantFrom("__proto__", "constructor"));
const fields = fc.array(field, { maxLength: 3 });
const ids = fc.array(u53, { maxLength: 4 });
const unknown = fc.constantFrom({}, { unknown: Uint8Array.of(0xa8, 0x3f, 5) });

const updateMap: fc.Arbitrary<UpdateMap> = fc.record({
  entries: fc.array(fc.oneof(fc.record({ key }), fc.record({ key, value: text })), { maxLength: 3 }),
  replace: fc.boolean(),
});

const indexEntry: fc.Arbitrary<IndexEntry> = fc.record({ name: text, version: u53, field: fc.nat(9) }).map((index) => {
  const writer = new WireWriter();
  const uuid = writer.begin(1);
  writer.data(1, new Uint8Array(16).fill(index.field));
  writer.commit(uuid);
  writer.packed(2, [index.field]);
  writer.string(3, index.name);
  writer.uint(4, index.version);
  return decodeIndexEntry(writer.finish(), "index");
});

/** One arbitrary for each kind, so that a new kind without one does not compile. */
const BY_KIND: {
  readonly [K in Operation["kind"]]: fc.Arbitrary<Omit<Extract<Operation, { kind: K }>, "kind" | "unknown">>;
} = {
  append: fc.record({ fragments }),
  delete: fc.record({ updatedFragments: fragments, deletedFragmentIds: ids, predicate: text }),
  overwrite: fc.record({ fragments, fields, schemaMetadata: bytesMap, configUpserts: textMap }),
  create_index: fc.record({ newIndices: fc.array(indexEntry), removedIndices: fc.array(indexEntry) }),
  rewrite: fc.record({
    groups: fc.array(fc.record({ oldFragments: fragments, newFragments: fragments }), { maxLength: 2 }),
    rewrittenIndices: fc.array(fc.uint8Array({ maxLength: 5 }), { maxLength: 2 }),
  }),
  merge: fc.record({ fragments, fields, schemaMetadata: bytesMap, preservesNullability: fc.boolean() }),
  restore: fc.record({ version: u53 }),
  reserve_fragments: fc.record({ count: fc.nat() }),
  update: fc.record({
    removedFragmentIds: ids,
    updatedFragments: fragments,
    newFragments: fragments,
    fieldsModified: fc.array(fc.nat()),
    mode: fc.constantFrom("rows" as const, "columns" as const),
    keyFilter: fc.uint8Array({ maxLength: 5 }),
  }),
  project: fc.record({ fields, preservesNullability: fc.boolean() }),
  update_config: fc.oneof(
    fc.record({
      config: updateMap,
      tableMetadata: updateMap,
      schemaMetadata: updateMap,
      fieldMetadata: fc.array(fc.tuple(fc.integer(), updateMap), { maxLength: 2 }).map((entries) => new Map(entries)),
    }),
    fc.record({
      fieldMetadata: fc.constant(new Map<number, UpdateMap>()),
      old: fc.record({
        upserts: fc.constant(new Map([["k", "v"]])),
        deletedKeys: fc.array(text),
        schemaMetadata: textMap,
        fieldMetadata: textMap.map((map) => new Map([[3, map]])),
      }),
    }),
  ),
  data_replacement: fc.record({ fragmentId: u53, path: fc.constant("a.lance") }).map(({ fragmentId, path }) => ({
    replacements: [
      { fragmentId, file: { path, fields: [1], columnIndices: [0], majorVersion: 2, minorVersion: 2, sizeBytes: 9 } },
    ],
  })),
  clone: fc.record({ isShallow: fc.boolean(), refName: text, refVersion: u53, refPath: text, branchName: text }),
  unknown: fc.record({
    fieldNumber: fc.constantFrom(112, 114, 115, 116, 900),
    bytes: fc.uint8Array({ maxLength: 200 }),
  }),
};

const operation = fc.oneof(
  ...Object.entries(BY_KIND).map(([kind, arbitrary]) =>
    fc
      .tuple(arbitrary, kind === "unknown" ? fc.constant({}) : unknown)
      .map(([body, kept]) => ({ kind, ...body, ...kept }) as Operation),
  ),
);

const transaction: fc.Arbitrary<Transaction> = fc
  .record({ readVersion: u53, uuid: fc.uuid(), tag: text, properties: textMap, operation, kept: unknown })
  .map(({ kept, ...rest }) => ({ ...rest, ...kept }));

/** Index entries compare by what they are encoded as. */
function comparable(one: Transaction): unknown {
  if (one.operation.kind !== "create_index") return one;
  const raw = (entries: readonly IndexEntry[]) => entries.map((entry) => ({ ...entry, fragmentIds: undefined }));
  const { newIndices, removedIndices } = one.operation;
  return { ...one, operation: { ...one.operation, newIndices: raw(newIndices), removedIndices: raw(removedIndices) } };
}

test("a transaction that is written and read again says the same, whatever it did", () => {
  fc.assert(
    fc.property(transaction, (one) => {
      expect(comparable(decodeTransaction(encodeTransaction(one), PATH))).toEqual(comparable(one));
    }),
    { numRuns: 400 },
  );
});

test("an operation of a newer version is unknown, never something else", () => {
  const writer = new WireWriter();
  writer.uint(1, 4);
  writer.data(130, Uint8Array.of(8, 1));
  const { operation: decoded } = decodeTransaction(writer.finish(), PATH);
  expect(decoded).toEqual({ kind: "unknown", fieldNumber: 130, bytes: Uint8Array.of(8, 1) });
});

test("fields of an index section that are not known are written back", () => {
  const bytes = Uint8Array.of(0xa8, 0x3f, 5);
  expect(encodeIndexSection(decodeIndexSection(bytes, PATH))).toEqual(bytes);
});

test("a compaction in the old form, without groups, is one group", () => {
  const writer = new WireWriter();
  const rewrite = writer.begin(104);
  writer.data(1, Uint8Array.of(8, 3));
  writer.data(2, Uint8Array.of(8, 4));
  writer.commit(rewrite);
  const { operation: decoded } = decodeTransaction(writer.finish(), PATH);
  expect(decoded).toMatchObject({
    kind: "rewrite",
    groups: [{ oldFragments: [{ id: 3 }], newFragments: [{ id: 4 }] }],
  });
});

test("an empty file, as a crash leaves it, is corrupt and no transaction", () => {
  expect(() => decodeTransaction(new Uint8Array(), PATH)).toThrow(
    expect.objectContaining({ code: "CORRUPT", details: expect.objectContaining({ path: PATH }) }),
  );
});

test("damaged transactions are read or refused, and never break the process", () => {
  for (const table of TABLES) {
    const [path] = list(table, "_transactions").slice(-1);
    for (const bytes of damaged(read(table, path!).slice(0, 200))) {
      try {
        decodeTransaction(bytes, PATH);
      } catch (error) {
        expectTyped(error);
      }
    }
  }
});

test("damaged index sections are read or refused, and never break the process", () => {
  const [entry] = fc.sample(indexEntry, { numRuns: 1, seed: 3 });
  for (const bytes of damaged(encodeIndexSection({ entries: [entry!, entry!] }))) {
    try {
      for (const one of decodeIndexSection(bytes, PATH).entries) expect(one.fragmentIds?.length).not.toBe(0);
    } catch (error) {
      expectTyped(error);
    }
  }
});

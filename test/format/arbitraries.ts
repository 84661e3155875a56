/** Random fragments, fields and manifests that are allowed to exist. */
import fc from "fast-check";
import type { DataFile, DeletionFile, Fragment, SequenceLocation } from "../../src/format/fragment.js";
import { FragmentList } from "../../src/format/fragment-list.js";
import type { BasePath, Manifest, WriterVersion } from "../../src/format/manifest.js";
import type { LanceField } from "../../src/format/schema.js";

type Plain = string | number | bigint | boolean | undefined | object;

/** Leaves out the keys whose value is undefined, as exact optional properties want it. */
function tidy<T extends Record<string, Plain>>(record: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };
}

const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });
export const u53 = fc.oneof(fc.nat(300), fc.nat(2 ** 31 - 1), fc.maxSafeNat());
const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const bytes = fc.uint8Array({ maxLength: 20 });
const text = fc.string({ unit: "grapheme", maxLength: 12 });
const keys = fc.oneof(text, fc.constantFrom("__proto__", "constructor", "toString"));
const segment = fc.stringMatching(/^[A-Za-z0-9_-][A-Za-z0-9._-]{0,8}$/);
const relativePath = fc.array(segment, { minLength: 1, maxLength: 3 }).map((parts) => parts.join("/"));
// A field number that no message of the format has, with a varint and with bytes.
const unknown = maybe(fc.constantFrom(Uint8Array.of(0xa8, 0x3f, 5), Uint8Array.of(0xaa, 0x3f, 2, 1, 2)));

const sequence: fc.Arbitrary<SequenceLocation> = fc.oneof(
  bytes.map((inline) => ({ kind: "inline" as const, bytes: inline })),
  fc.record({ kind: fc.constant("external" as const), path: relativePath, offset: u53, sizeBytes: u53 }),
);

const dataFile = fc
  .record({
    path: relativePath,
    fields: fc.array(fc.integer({ min: -2, max: 2 ** 31 - 1 }), { maxLength: 5 }),
    columnIndices: fc.array(fc.integer({ min: -1, max: 300 }), { maxLength: 5 }),
    majorVersion: fc.nat(3),
    minorVersion: fc.nat(3),
    sizeBytes: u53,
    baseId: maybe(fc.nat(5)),
    unknown,
  })
  .map((file): DataFile => tidy(file));

const deletionFile = (rows: number) =>
  fc
    .record({
      kind: fc.constantFrom("arrow" as const, "bitmap" as const),
      readVersion: u53,
      id: u64,
      deletedRows: fc.nat(Math.min(rows, 2 ** 31 - 1)),
      baseId: maybe(fc.nat(5)),
      unknown,
    })
    .map((file): DeletionFile => tidy(file));

export const fragmentWithId = (id: number): fc.Arbitrary<Fragment> =>
  u53.chain((physicalRows) =>
    fc
      .record({
        id: fc.constant(id),
        files: fc.array(dataFile, { maxLength: 3 }),
        physicalRows: fc.constant(physicalRows),
        deletionFile: maybe(deletionFile(physicalRows)),
        rowIds: maybe(sequence),
        lastUpdatedVersions: maybe(sequence),
        createdVersions: maybe(sequence),
        unknown,
      })
      .map((fragment): Fragment => tidy(fragment)),
  );

export const fragment = fc.nat(2 ** 32 - 1).chain(fragmentWithId);

/** Fragments with different ids, ascending. */
export const fragments = fc
  .uniqueArray(fc.nat(1000), { maxLength: 8 })
  .chain((ids) => fc.tuple(...ids.sort((a, b) => a - b).map(fragmentWithId)));

export const field: fc.Arbitrary<LanceField> = fc
  .record({
    id: fc.nat(2 ** 31 - 1),
    parentId: fc.integer({ min: -1, max: 2 ** 31 - 1 }),
    name: text,
    logicalType: text,
    nullable: fc.boolean(),
    metadata: fc.array(fc.tuple(keys, bytes), { maxLength: 3 }).map((entries) => new Map(entries)),
    extensionName: maybe(text),
    unknown,
  })
  .map((value) => tidy(value));

export const textMap = fc.array(fc.tuple(keys, text), { maxLength: 3 }).map((entries) => new Map(entries));
export const bytesMap = fc.array(fc.tuple(keys, bytes), { maxLength: 3 }).map((entries) => new Map(entries));

const basePath = fc
  .record({ id: fc.nat(9), name: maybe(text), isDatasetRoot: fc.boolean(), path: text, unknown })
  .map((base): BasePath => tidy(base));

const writerVersion = fc
  .record({ library: text, version: text, prerelease: maybe(text), build: maybe(text), unknown })
  .map((version): WriterVersion => tidy(version));

export const manifest: fc.Arbitrary<Manifest> = fc
  .record({
    version: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
    fields: fc.array(field, { maxLength: 4 }),
    fragments: fragments.map((list) => FragmentList.from(list)),
    schemaMetadata: bytesMap,
    timestamp: fc.record({
      seconds: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
      nanos: fc.nat(999_999_999),
    }),
    readerFlags: u64,
    writerFlags: u64,
    maxFragmentId: maybe(fc.nat(2 ** 32 - 1)),
    transactionFile: fc.oneof(fc.constant(""), segment),
    writerVersion: maybe(writerVersion),
    nextRowId: u64,
    dataFormat: maybe(fc.record({ format: text, version: text })),
    config: textMap,
    tableMetadata: textMap,
    basePaths: fc.array(basePath, { maxLength: 2 }),
    branch: maybe(text),
    tag: text,
    versionAuxData: u64,
    unknown: unknown.map((value) => value ?? new Uint8Array()),
    indexSection: maybe(bytes),
    transaction: maybe(bytes),
  })
  .map(({ writerVersion: writer, branch, ...rest }) => ({
    ...rest,
    ...(writer === undefined ? {} : { writerVersion: writer }),
    ...(branch === undefined ? {} : { branch }),
  }));

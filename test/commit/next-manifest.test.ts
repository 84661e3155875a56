/** The next manifest: what every operation keeps of the head, and ids that are never used twice. */
import * as arrow from "apache-arrow";
import { describe, expect, test } from "vitest";
import { nextManifest } from "../../src/commit/next-manifest.js";
import type { Fragment } from "../../src/format/fragment.js";
import { FragmentList } from "../../src/format/fragment-list.js";
import { decodeIndexEntry, decodeIndexSection, encodeIndexSection } from "../../src/format/index-section.js";
import type { Manifest } from "../../src/format/manifest.js";
import type { Operation } from "../../src/format/operation.js";
import { fieldsFromSchema } from "../../src/format/schema.js";
import { WireWriter } from "../../src/format/wire-writer.js";

const SCHEMA = new arrow.Schema([
  new arrow.Field("a", new arrow.Int32(), true),
  new arrow.Field("b", new arrow.Int32(), true),
]);
const FIELDS = fieldsFromSchema(SCHEMA, 0);
const DATA_FORMAT = { format: "lance", version: "2.2" };
/** Says that data files are not Lance files, so that native refuses the table. */
const FOREIGN_DATA = 1n << 62n;
const bytes = (text: string) => new TextEncoder().encode(text);

function fragment(id: number, fields: readonly number[] = [0, 1]): Fragment {
  const file = {
    path: `${id}-${fields.join("")}.arrow`,
    fields,
    columnIndices: fields.map((_, i) => i),
    majorVersion: 2,
    minorVersion: 2,
    sizeBytes: 10,
  };
  return { id, files: [file], physicalRows: 5 };
}

/** An index of one field, as native writes its entry. */
function index(name: string, field: number) {
  const uuid = new WireWriter();
  uuid.data(1, new Uint8Array(16).fill(field + 1));
  const writer = new WireWriter();
  writer.data(1, uuid.finish());
  writer.data(2, Uint8Array.of(field));
  writer.data(3, bytes(name));
  return decodeIndexEntry(writer.finish(), "test");
}

/** Version 7: fragments 0 and 3, ids up to 9 were used, both columns indexed, config and metadata. */
const HEAD: Manifest = {
  version: 7,
  fields: FIELDS,
  fragments: FragmentList.from([fragment(0), fragment(3)]),
  schemaMetadata: new Map([["s", bytes("1")]]),
  timestamp: { seconds: 1n, nanos: 0 },
  readerFlags: 0n,
  writerFlags: 0n,
  maxFragmentId: 9,
  transactionFile: "old.txn",
  nextRowId: 0n,
  dataFormat: DATA_FORMAT,
  config: new Map([
    ["joust.data_format", "arrow"],
    ["mine", "kept"],
  ]),
  tableMetadata: new Map([["t", "kept"]]),
  basePaths: [],
  tag: "",
  versionAuxData: 0n,
  unknown: new Uint8Array(),
  indexSection: encodeIndexSection({ entries: [index("of_a", 0), index("of_b", 1)] }),
  transaction: undefined,
};

const next = (operation: Operation, extra: Partial<Parameters<typeof nextManifest>[2]> = {}) =>
  nextManifest(HEAD, operation, { nowMs: 5, transaction: bytes("txn"), dataFormat: DATA_FORMAT, ...extra });

const idsOf = (manifest: Manifest) => [...manifest.fragments].map(({ id }) => id);
const indicesOf = (manifest: Manifest) =>
  manifest.indexSection === undefined
    ? []
    : decodeIndexSection(manifest.indexSection, "test").entries.map(({ name }) => name);

const OPERATIONS: readonly [string, Operation][] = [
  ["append", { kind: "append", fragments: [fragment(0)] }],
  ["delete", { kind: "delete", updatedFragments: [fragment(3)], deletedFragmentIds: [0], predicate: "" }],
  [
    "update",
    {
      kind: "update",
      updatedFragments: [],
      removedFragmentIds: [0],
      newFragments: [fragment(0)],
      fieldsModified: [],
      mode: "rows",
    },
  ],
  [
    "merge",
    {
      kind: "merge",
      fields: FIELDS,
      fragments: [fragment(0), fragment(3)],
      schemaMetadata: HEAD.schemaMetadata,
      preservesNullability: true,
    },
  ],
  ["project", { kind: "project", fields: FIELDS, preservesNullability: true }],
  ["update_config", { kind: "update_config", fieldMetadata: new Map() }],
  ["reserve_fragments", { kind: "reserve_fragments", count: 3 }],
];

describe("every operation that does not change them keeps", () => {
  test.each(OPERATIONS)("config, metadata, indices and format: %s", (_kind, operation) => {
    const manifest = next(operation);
    expect(manifest.version).toBe(8);
    expect([manifest.config, manifest.tableMetadata, manifest.dataFormat]).toEqual([
      HEAD.config,
      HEAD.tableMetadata,
      DATA_FORMAT,
    ]);
    expect(manifest.schemaMetadata).toEqual(HEAD.schemaMetadata);
    expect(indicesOf(manifest)).toEqual(["of_a", "of_b"]);
    expect([manifest.transactionFile, manifest.transaction]).toEqual(["", bytes("txn")]);
    expect(manifest.maxFragmentId).toBeGreaterThanOrEqual(9);
  });
});

describe("fragment ids", () => {
  test("of new fragments lie above every id ever used", () => {
    expect(idsOf(next({ kind: "append", fragments: [fragment(0), fragment(0)] }))).toEqual([0, 3, 10, 11]);
    const update = next(OPERATIONS[2]?.[1] as Operation);
    expect([idsOf(update), update.maxFragmentId]).toEqual([[3, 10], 10]);
  });

  test("are not used again after an overwrite, nor after a reservation", () => {
    const overwritten = next({
      kind: "overwrite",
      fragments: [fragment(0)],
      fields: FIELDS,
      schemaMetadata: new Map(),
      configUpserts: new Map(),
    });
    expect([idsOf(overwritten), overwritten.maxFragmentId]).toEqual([[10], 10]);
    const reserved = next({ kind: "reserve_fragments", count: 3 });
    expect(reserved.maxFragmentId).toBe(12);
  });

  test("are not used again after a restore of a version that knew fewer", () => {
    const restored = { ...HEAD, version: 2, maxFragmentId: 0, fragments: FragmentList.from([fragment(0)]) };
    const manifest = next({ kind: "restore", version: 2 }, { restored });
    expect([manifest.version, idsOf(manifest), manifest.maxFragmentId]).toEqual([8, [0], 9]);
  });
});

describe("an overwrite", () => {
  const overwrite = (configUpserts: ReadonlyMap<string, string>) =>
    next({ kind: "overwrite", fragments: [], fields: FIELDS, schemaMetadata: new Map(), configUpserts });

  test("keeps config and table metadata, and drops the indices of the old rows", () => {
    const manifest = overwrite(new Map([["joust.data_format", "parquet"]]));
    expect(manifest.config).toEqual(
      new Map([
        ["mine", "kept"],
        ["joust.data_format", "parquet"],
      ]),
    );
    expect(manifest.tableMetadata).toEqual(HEAD.tableMetadata);
    expect(indicesOf(manifest)).toEqual([]);
    expect([manifest.readerFlags & FOREIGN_DATA, manifest.writerFlags & FOREIGN_DATA]).toEqual([
      FOREIGN_DATA,
      FOREIGN_DATA,
    ]);
  });

  test("to lance files takes the mark of other files away, and the flag with it", () => {
    const manifest = overwrite(new Map());
    expect(manifest.config).toEqual(new Map([["mine", "kept"]]));
    expect([manifest.readerFlags & FOREIGN_DATA, manifest.writerFlags & FOREIGN_DATA]).toEqual([0n, 0n]);
  });
});

test("an index of a column that is gone goes with it, and files without a live column leave their fragments", () => {
  const two: Fragment = { ...fragment(0, [0]), files: [...fragment(0, [0]).files, ...fragment(0, [1]).files] };
  const head = { ...HEAD, fragments: FragmentList.from([two, fragment(3)]) };
  const operation: Operation = { kind: "project", fields: FIELDS.slice(0, 1), preservesNullability: true };
  const manifest = nextManifest(head, operation, { nowMs: 0, transaction: bytes("x") });
  expect(indicesOf(manifest)).toEqual(["of_a"]);
  expect([...manifest.fragments].map(({ files }) => files.map((file) => file.fields))).toEqual([[[0]], [[0, 1]]]);
});

test("config and metadata are changed entry by entry, or as a whole", () => {
  const entries = [{ key: "mine" }, { key: "new", value: "1" }];
  const some = next({ kind: "update_config", config: { entries, replace: false }, fieldMetadata: new Map() });
  expect([...some.config]).toEqual([
    ["joust.data_format", "arrow"],
    ["new", "1"],
  ]);
  const whole = next({
    kind: "update_config",
    tableMetadata: { entries: [{ key: "u", value: "2" }], replace: true },
    schemaMetadata: { entries: [{ key: "s" }], replace: false },
    fieldMetadata: new Map([[1, { entries: [{ key: "k", value: "v" }], replace: false }]]),
  });
  expect([[...whole.tableMetadata], [...whole.schemaMetadata]]).toEqual([[["u", "2"]], []]);
  expect(whole.fields.map((field) => [...field.metadata])).toEqual([[], [["k", bytes("v")]]]);
});

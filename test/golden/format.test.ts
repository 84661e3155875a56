import { Buffer } from "node:buffer";
import { describe, expect, test } from "vitest";
import { decodeDeletionVector, encodeDeletionVector } from "../../src/format/deletion-file.js";
import { checkReadable, checkWritable, requiredFlags } from "../../src/format/flags.js";
import type { Fragment } from "../../src/format/fragment.js";
import { FragmentList } from "../../src/format/fragment-list.js";
import { decodeHint, encodeHint } from "../../src/format/hint.js";
import { decodeIndexSection, encodeIndexSection, withFragmentIds } from "../../src/format/index-section.js";
import { dataPath, deletionPath, HINT_PATH, REFS_TAGS, TRANSACTIONS } from "../../src/format/layout.js";
import { decodeManifest, encodeManifest, type Manifest } from "../../src/format/manifest.js";
import { decodeBranch, decodeTag, encodeBranch, encodeTag } from "../../src/format/refs.js";
import {
  decodeRowIdSequence,
  decodeVersionSequence,
  encodeRowIdSequence,
  encodeVersionSequence,
  expandRowIds,
  expandVersions,
} from "../../src/format/row-ids.js";
import { fieldsFromSchema, leavesOf, nextFieldId, schemaFromFields } from "../../src/format/schema.js";
import { decodeTransaction, encodeTransaction, type OperationKind } from "../../src/format/transaction.js";
import { expected, list, manifests, read, TABLES } from "./format-tables.js";

/** Everything that a manifest says, with the fragments decoded. */
function meaning(manifest: Manifest): unknown {
  return { ...manifest, fragments: [...manifest.fragments] };
}

function open(table: string, path: string): Manifest {
  return decodeManifest(read(table, path), path);
}

function head(table: string): Manifest {
  return open(table, manifests(table).at(-1)!.path);
}

function liveIds(vector: { liveOffsets(start: number, end: number): Uint32Array }, rows: number): number[] {
  return [...vector.liveOffsets(0, rows)];
}

describe.each(TABLES)("table %s of native LanceDB", (table) => {
  test("every version is there with the rows, columns and types that native reports", () => {
    const wanted = expected[table]!.versions;
    expect(manifests(table).map(({ version }) => version)).toEqual(wanted.map(({ version }) => version));
    for (const [i, { version, path }] of manifests(table).entries()) {
      const manifest = open(table, path);
      const schema = schemaFromFields(manifest.fields, manifest.schemaMetadata);
      expect(manifest.version).toBe(version);
      expect(manifest.fragments.rowCount()).toBe(wanted[i]!.rows);
      expect(schema.arrow.fields.map((field) => [field.name, String(field.type), field.nullable])).toEqual(
        wanted[i]!.schema,
      );
    }
  });

  test("manifests keep their meaning when they are written again, and are then protected by a checksum", () => {
    const paths = list(table).filter((path) => path.endsWith(".manifest"));
    expect(paths.length).toBeGreaterThan(0);
    for (const path of paths) {
      const manifest = open(table, path);
      const bytes = new Uint8Array(Buffer.concat(encodeManifest(manifest)));
      expect(meaning(decodeManifest(bytes, path))).toEqual(meaning(manifest));
      bytes[bytes.length >> 1]! ^= 4;
      expect(() => decodeManifest(bytes, path)).toThrow(/checksum/);
    }
  });

  test("the flags that native wrote are the ones we would write, and nothing in them is unknown", () => {
    for (const { path } of manifests(table)) {
      const manifest = open(table, path);
      checkReadable(manifest.readerFlags, path);
      checkWritable(manifest.writerFlags, path);
      const { readerFlags, writerFlags } = manifest;
      expect(requiredFlags(manifest)).toEqual({ readerFlags, writerFlags });
    }
  });

  test("transactions keep their meaning when they are written again, inline ones equal those in files", () => {
    for (const path of list(table, TRANSACTIONS)) {
      const transaction = decodeTransaction(read(table, path), path);
      expect(decodeTransaction(encodeTransaction(transaction), path)).toEqual(transaction);
      expect(transaction.operation.kind).not.toBe("unknown");
    }
    for (const { path } of manifests(table)) {
      const { transaction, transactionFile } = open(table, path);
      const file = `${TRANSACTIONS}/${transactionFile}`;
      expect(decodeTransaction(transaction!, path)).toEqual(decodeTransaction(read(table, file), file));
    }
  });

  test("every file that the newest version names is where the layout says", () => {
    const files = list(table);
    for (const fragment of head(table).fragments) {
      for (const file of fragment.files) {
        expect(files).toContain(dataPath(file));
        expect(read(table, dataPath(file)).length).toBe(file.sizeBytes);
      }
      if (fragment.deletionFile) expect(files).toContain(deletionPath(fragment.id, fragment.deletionFile));
    }
  });

  test("deletion files hold as many rows as the manifest says, and keep them when they are written again", async () => {
    for (const { path } of manifests(table)) {
      for (const fragment of open(table, path).fragments) {
        if (fragment.deletionFile === undefined) continue;
        const { kind, deletedRows } = fragment.deletionFile;
        const at = deletionPath(fragment.id, fragment.deletionFile);
        const vector = await decodeDeletionVector(read(table, at), kind, at, fragment.physicalRows);
        expect(vector.size).toBe(deletedRows);
        const again = encodeDeletionVector(vector);
        const decoded = await decodeDeletionVector(again, "bitmap", at, fragment.physicalRows);
        expect(decoded.toArray()).toEqual(vector.toArray());
      }
    }
  });

  test("a schema that is taken apart and numbered anew says the same", () => {
    const { fields, schemaMetadata, fragments } = head(table);
    const schema = schemaFromFields(fields, schemaMetadata);
    const numbered = fieldsFromSchema(schema.arrow, nextFieldId(fields, fragments));
    expect(schemaFromFields(numbered, schemaMetadata).arrow.toString()).toBe(schema.arrow.toString());
    expect(numbered.map(({ logicalType, name }) => [name, logicalType])).toEqual(
      fields.map(({ logicalType, name }) => [name, logicalType]),
    );
  });

  test("the hint names the newest version", () => {
    const hint = read(table, HINT_PATH);
    expect(decodeHint(hint)).toBe(manifests(table).at(-1)!.version);
    expect(encodeHint(decodeHint(hint)!)).toEqual(hint);
  });
});

test.each(["deletions_arrow", "deletions_bitmap"])(
  "%s leaves exactly the rows that native still finds",
  async (table) => {
    const fragment = head(table).fragments.at(0);
    const { kind } = fragment.deletionFile!;
    expect(kind).toBe(table === "deletions_arrow" ? "arrow" : "bitmap");
    const path = deletionPath(fragment.id, fragment.deletionFile!);
    const vector = await decodeDeletionVector(read(table, path), kind, path, fragment.physicalRows);
    expect(liveIds(vector, fragment.physicalRows)).toEqual([...expected[table]!.ids!].sort((a, b) => a - b));
  },
);

test("the fixtures hold every operation that native's API makes", () => {
  const kinds = new Set<OperationKind>();
  for (const table of TABLES) {
    for (const path of list(table).filter((file) => file.endsWith(".txn"))) {
      kinds.add(decodeTransaction(read(table, path), path).operation.kind);
    }
  }
  const made = ["append", "clone", "create_index", "delete", "merge", "overwrite", "project"];
  expect([...kinds].sort()).toEqual(
    [...made, "reserve_fragments", "restore", "rewrite", "update", "update_config"].sort(),
  );
});

test("schema and field metadata arrive as text", () => {
  const { fields, schemaMetadata } = head("types");
  const { arrow } = schemaFromFields(fields, schemaMetadata);
  expect(arrow.metadata.get("origin")).toBe("fixture");
  expect(arrow.fields.find(({ name }) => name === "utf8")!.metadata.get("unit")).toBe("word");
});

test("data files of a 2.2 table list the leaves of the schema", () => {
  const { fields, fragments } = head("types");
  const leaves = leavesOf(schemaFromFields(fields)).map(({ id }) => id);
  expect(fragments.at(0).files[0]!.fields).toEqual(leaves);
});

test("stable row ids and row versions are those that native shows for every row", async () => {
  const rows: number[][] = [];
  const { fragments } = head("row_ids");
  for (const fragment of fragments) {
    const { ids, created, updated } = sequencesOf(fragment);
    const deleted = fragment.deletionFile;
    const path = deleted === undefined ? "" : deletionPath(fragment.id, deleted);
    const vector =
      deleted === undefined
        ? undefined
        : await decodeDeletionVector(read("row_ids", path), deleted.kind, path, fragment.physicalRows);
    for (let i = 0; i < fragment.physicalRows; i++) {
      if (!vector?.has(i)) rows.push([ids[i]!, created[i]!, updated[i]!]);
    }
  }
  const byId = (a: readonly number[], b: readonly number[]) => a[0]! - b[0]!;
  expect(rows.sort(byId)).toEqual(expected.row_ids!.rows!.map((row) => row.slice(1)).sort(byId));
});

test("row sequences keep their values when they are written again", () => {
  for (const { path } of manifests("row_ids")) {
    for (const fragment of open("row_ids", path).fragments) {
      const bytes = (fragment.rowIds as { bytes: Uint8Array }).bytes;
      const segments = decodeRowIdSequence(bytes, path);
      expect(decodeRowIdSequence(encodeRowIdSequence(segments), path)).toEqual(segments);
      if (fragment.lastUpdatedVersions?.kind === "inline") {
        const runs = decodeVersionSequence(fragment.lastUpdatedVersions.bytes, path);
        expect(decodeVersionSequence(encodeVersionSequence(runs), path)).toEqual(runs);
      }
    }
  }
});

test("tags and branches read as native wrote them and are written as native does", () => {
  for (const [name, tag] of Object.entries(expected.history!.tags!)) {
    const path = `${REFS_TAGS}/${name}.json`;
    const bytes = read("history", path);
    expect(decodeTag(bytes, path)).toMatchObject({ ...tag, branch: undefined, metadata: new Map() });
    expect(encodeTag(decodeTag(bytes, path))).toEqual(bytes);
  }
  const path = "_refs/branches/side.json";
  const branch = decodeBranch(read("branch", path), path);
  expect(branch).toMatchObject({ parentBranch: undefined, parentVersion: 1 });
  expect(decodeBranch(encodeBranch(branch), path)).toEqual(branch);
});

test("a branch names itself, its origin, and the base that its inherited files lie in", () => {
  const path = list("branch", "tree/side/_versions").find((file) => file.endsWith(".manifest"))!;
  const manifest = open("branch", path);
  expect(manifest.branch).toBe("side");
  expect(manifest.basePaths).toHaveLength(1);
  expect(manifest.fragments.at(0).files[0]!.baseId).toBe(manifest.basePaths[0]!.id);
});

test("index sections are written back byte for byte, and one index can be changed alone", () => {
  const sections = manifests("history").flatMap(({ path }) => open("history", path).indexSection ?? []);
  expect(sections.length).toBeGreaterThan(0);
  for (const bytes of sections) {
    const section = decodeIndexSection(bytes, "history");
    expect(encodeIndexSection(section)).toEqual(new Uint8Array(bytes));
    for (const entry of section.entries) {
      const moved = withFragmentIds(entry, Uint32Array.of(3, 70_000));
      expect(moved.fragmentIds).toEqual(Uint32Array.of(3, 70_000));
      expect(withFragmentIds(moved, entry.fragmentIds!)).toEqual(withFragmentIds(entry, entry.fragmentIds!));
      const { uuid, name, fields, datasetVersion } = entry;
      expect(moved).toMatchObject({ uuid, name, fields, datasetVersion });
    }
  }
});

test("an index covers the fragments that were there when it was built", () => {
  const indexed = manifests("history")
    .map(({ path }) => open("history", path))
    .find((manifest) => manifest.indexSection !== undefined)!;
  const [entry] = decodeIndexSection(indexed.indexSection!, "history").entries;
  expect(entry!.name).toBe("id_idx");
  expect([...entry!.fragmentIds!]).toEqual(indexed.fragments.ids());
});

function sequencesOf(fragment: Fragment): { ids: Float64Array; created: Float64Array; updated: Float64Array } {
  const { physicalRows: rows, rowIds, createdVersions, lastUpdatedVersions } = fragment;
  const versions = (location: typeof createdVersions) =>
    location?.kind === "inline"
      ? expandVersions(decodeVersionSequence(location.bytes, "row_ids"), "row_ids", rows)
      : new Float64Array(rows).fill(1);
  if (rowIds?.kind !== "inline") throw new Error("the fixture keeps row ids inline");
  return {
    ids: expandRowIds(decodeRowIdSequence(rowIds.bytes, "row_ids"), "row_ids", rows),
    created: versions(createdVersions),
    updated: versions(lastUpdatedVersions),
  };
}

test("a list made of decoded fragments has the bytes of the manifest's own", () => {
  const { fragments } = head("row_ids");
  expect([...FragmentList.from(fragments)]).toEqual([...fragments]);
});

/**
 * Do native LanceDB and this package read each other's data files? Random tables both ways, compared cell by cell.
 *
 * node data-files.mjs [tables] [seed]; exit code 1 when anything differs. Needs `npm install` here and `npm run build`
 * in the package. Manifests are built here by hand, so that only data files are on trial.
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "@lancedb/lancedb";
import * as arrow from "apache-arrow";
import { lanceCodec } from "../../dist/data/lance/codec.js";
import { writeFragment } from "../../dist/format/fragment.js";
import { FragmentList } from "../../dist/format/fragment-list.js";
import { decodeManifest, encodeManifest } from "../../dist/format/manifest.js";
import { schemaFromFields } from "../../dist/format/schema.js";
import { WireWriter } from "../../dist/format/wire.js";
import { cells, chance, difference, randomColumn, randomType } from "./random-tables.mjs";

const TABLES = Number(process.argv[2] ?? 200);
const SEED = Number(process.argv[3] ?? 1);
const VERSIONS = ["2.2", "2.1", "2.0"];
const ROWS = [1, 2, 10, 100, 1023, 1024, 1025, 2500, 9000];

/** A random table: an id column, a vector and up to five others, in one or more batches. */
function randomTable(random, version) {
  const rows = random.pick(ROWS);
  const types = {
    id: new arrow.Int32(),
    vector: new arrow.FixedSizeList(4, new arrow.Field("item", new arrow.Float32(), true)),
  };
  const count = 1 + random.below(5);
  for (let i = 0; i < count; i++) types[`c${i}`] = randomType(random, version);
  const columns = Object.entries(types).map(([name, type]) => {
    if (name === "id")
      return arrow.vectorFromArray(
        Array.from({ length: rows }, (_, i) => i),
        type,
      ).data[0];
    if (name === "vector")
      return arrow.vectorFromArray(
        Array.from({ length: rows }, () => [1, 2, 3, random.next()]),
        type,
      ).data[0];
    return randomColumn(random, type, rows, version !== "2.0").data[0];
  });
  const schema = new arrow.Schema(Object.entries(types).map(([name, type]) => new arrow.Field(name, type, true)));
  const data = arrow.makeData({ type: new arrow.Struct(schema.fields), length: rows, nullCount: 0, children: columns });
  const batch = new arrow.RecordBatch(schema, data);
  const cut = random.below(rows + 1);
  const batches = random.below(2) === 0 ? [batch] : [batch.slice(0, cut), batch.slice(cut, rows)];
  return { schema, rows, batch, batches: batches.filter((one) => one.numRows > 0) };
}

const cellsOf = (table) => table.schema.fields.map((_, i) => cells(table.getChildAt(i)));

function newestManifest(directory) {
  const name = readdirSync(join(directory, "_versions"))
    .filter((one) => one.endsWith(".manifest"))
    .sort()[0];
  return decodeManifest(readFileSync(join(directory, "_versions", name)), name);
}

/** Puts files of ours into a table of native's as one append. */
async function appendOurs(directory, table, version) {
  const manifest = newestManifest(directory);
  const { nodes } = schemaFromFields(manifest.fields);
  const encoded = await lanceCodec.encode(table.batches, { arrow: table.schema, nodes }, { fileVersion: version });
  const path = `ours-${manifest.version}.lance`;
  mkdirSync(join(directory, "data"), { recursive: true });
  writeFileSync(join(directory, "data", path), Buffer.concat(encoded.chunks));
  const { fields, columnIndices, majorVersion, minorVersion, sizeBytes } = encoded;
  const file = { path, fields, columnIndices, majorVersion, minorVersion, sizeBytes };
  const id = (manifest.maxFragmentId ?? -1) + 1;
  const fragment = { id, files: [file], physicalRows: encoded.rows };
  const transaction = new WireWriter();
  transaction.uint(1, manifest.version);
  transaction.string(2, crypto.randomUUID());
  const append = transaction.begin(100);
  const added = transaction.begin(1);
  writeFragment(transaction, { ...fragment, id: 0 });
  transaction.commit(added);
  transaction.commit(append);
  const next = {
    ...manifest,
    version: manifest.version + 1,
    fragments: FragmentList.from([...manifest.fragments, fragment]),
    maxFragmentId: id,
    transaction: transaction.finish(),
    transactionFile: "",
  };
  const name = (2n ** 64n - 1n - BigInt(next.version)).toString().padStart(20, "0");
  writeFileSync(join(directory, "_versions", `${name}.manifest`), Buffer.concat(encodeManifest(next)));
}

/** Native reads, searches and changes a table whose rows are in a file of ours. */
async function checkOurs(database, directory, random, version) {
  const table = randomTable(random, version);
  const { rows } = table;
  await database.createEmptyTable("t", table.schema, { mode: "overwrite" });
  await appendOurs(directory, table, version);
  const native = await database.openTable("t");
  const expected = table.schema.fields.map((_, i) => cells(table.batch.getChildAt(i)));
  const rowsAt = (wanted) => expected.map((column) => wanted.map((row) => column[row]));
  const range = (start, end) => Array.from({ length: Math.max(0, end - start) }, (_, i) => start + i);
  const checks = {
    rows: difference(expected, cellsOf(await native.query().toArrow())),
    count: (await native.countRows()) === rows ? undefined : "countRows differs",
  };
  const [start, end] = [random.below(rows), random.below(rows + 1)].sort((a, b) => a - b);
  const between = await native.query().where(`id >= ${start} AND id < ${end}`).toArrow();
  // A result without rows has no columns either.
  checks.filter =
    between.numRows + (end - start) > 0 ? difference(rowsAt(range(start, end)), cellsOf(between)) : undefined;
  const wanted = [...new Set([0, rows - 1, random.below(rows), random.below(rows)])].sort((a, b) => a - b);
  checks.take = difference(rowsAt(wanted), cellsOf(await native.takeOffsets(wanted).toArrow()));
  const nearest = await native.search([1, 2, 3, 0.5]).limit(3).toArrow();
  checks.search = nearest.numRows === Math.min(3, rows) ? undefined : `a search found ${nearest.numRows} rows`;
  await native.update({ where: "id = 0", values: { id: -1 } });
  await native.delete(`id = ${rows - 1} AND id > 0`);
  await native.optimize();
  const left = rows > 1 ? [...range(1, rows - 1), 0] : [0];
  const after = rowsAt(left);
  after[0] = after[0].map((id) => (id === "0" ? "-1" : id));
  const byId = (columns) => {
    const order = columns[0].map((id, i) => [Number(id), i]).sort((a, b) => a[0] - b[0]);
    return columns.map((column) => order.map(([, i]) => column[i]));
  };
  checks.optimize = difference(byId(after), byId(cellsOf(await native.query().toArrow())));
  return checks;
}

/** A data file as the codec wants it, counted. */
function fileSource(path) {
  const bytes = readFileSync(path);
  return { path, sizeBytes: bytes.length, read: async (start, end) => new Uint8Array(bytes.subarray(start, end)) };
}

/** We read the files that native wrote. */
async function checkNative(database, directory, random, version) {
  const table = randomTable(random, version);
  const input = new arrow.Table(table.schema, [table.batch]);
  const native = await database.createTable("n", input, { mode: "overwrite" }).catch((error) => {
    // apache-arrow sends no bytes for booleans that are all null, which native refuses.
    if (!String(error.message).includes("array of type Boolean, but got 0")) throw error;
  });
  if (native === undefined) return {};
  const expected = cellsOf(await native.query().toArrow());
  const manifest = newestManifest(directory);
  const schema = schemaFromFields(manifest.fields);
  const columns = schema.nodes.map(() => []);
  for (const fragment of manifest.fragments) {
    for (const file of fragment.files) {
      const reader = await lanceCodec.open(fileSource(join(directory, "data", file.path)), file, schema);
      for await (const batch of reader.read({ schema })) {
        for (const [i, column] of columns.entries()) column.push(...cells(batch.getChildAt(i)));
      }
    }
  }
  return { rows: difference(expected, columns) };
}

async function main() {
  const root = mkdtempSync(join(tmpdir(), "joust-parity-"));
  const differences = [];
  try {
    for (let i = 0; i < TABLES; i++) {
      const version = VERSIONS[i % VERSIONS.length];
      const database = await connect(root, { storageOptions: { newTableDataStorageVersion: version } });
      const seed = SEED * 1_000_003 + i;
      for (const [name, table, check] of [
        ["ours", "t", checkOurs],
        ["native", "n", checkNative],
      ]) {
        rmSync(join(root, `${table}.lance`), { recursive: true, force: true });
        const checks = await check(database, join(root, `${table}.lance`), chance(seed), version).catch((error) => ({
          error: String(error.message).slice(0, 300),
        }));
        for (const [what, problem] of Object.entries(checks)) {
          if (problem !== undefined) differences.push(`${name} ${version} seed ${seed} ${what}: ${problem}`);
        }
      }
    }
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
  for (const line of differences) console.log(line);
  console.log(`${TABLES} tables each way, ${differences.length} differences`);
  process.exitCode = differences.length === 0 ? 0 : 1;
}

await main();

/** What verify finds on real tables: nothing on sound ones, and each planted fault by its name. */
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { FragmentList } from "../../src/format/fragment-list.js";
import { decodeManifest, encodeManifest, type Manifest } from "../../src/format/manifest.js";
import { decodeTransaction, encodeTransaction } from "../../src/format/transaction.js";
import { connect, type DataFormat, type Finding, type FindingId, type VerifyOptions } from "../../src/index.js";
import { freshDatabase, makeTable, manifestOf, NAME, type OnDisk } from "./table-on-disk.js";

async function findings(database: string, options: VerifyOptions = {}): Promise<Finding[]> {
  const db = await connect(database);
  try {
    return await db.doctor({ table: NAME, ...options }).toArray();
  } finally {
    await db.close();
  }
}

const idsOf = (found: readonly Finding[]) => [...new Set(found.map(({ id }) => id))];

/** Rewrites the manifest of a version, with the checksum that belongs to it. */
function rewrite({ directory }: OnDisk, version: number, change: (manifest: Manifest) => Manifest): void {
  const path = join(directory, manifestOf(version));
  writeFileSync(path, Buffer.concat(encodeManifest(change(decodeManifest(readFileSync(path), path)))));
}

/** The first fragment of a manifest, changed. */
function changeFragment(manifest: Manifest, change: (first: ReturnType<FragmentList["at"]>) => object): Manifest {
  const [first, ...rest] = [...manifest.fragments];
  return { ...manifest, fragments: FragmentList.from([{ ...first!, ...change(first!) }, ...rest]) };
}

const dataFiles = ({ directory }: OnDisk) =>
  readdirSync(join(directory, "data")).map((name) => join(directory, "data", name));

describe.each<DataFormat>(["lance", "arrow", "parquet"])("a sound %s table", (dataFormat) => {
  test("has no finding, however deep one looks, while it is open and after", async () => {
    const { database } = await makeTable(dataFormat);
    const db = await connect(database);
    const table = await db.openTable(NAME);
    expect(await table.verify({ deep: true }).toArray()).toEqual([]);
    await db.close();
    expect(await findings(database, { deep: true })).toEqual([]);
  });
});

test("a table in memory is verified like one on disk", async () => {
  const db = await connect("memory://");
  const table = await db.createTable("m", [{ id: 1 }]);
  expect(await table.verify({ deep: true }).toArray()).toEqual([]);
});

test("findings come as a stream, and progress is told version by version", async () => {
  const disk = await makeTable("arrow");
  for (const path of dataFiles(disk)) rmSync(path);
  const db = await connect(disk.database);
  const seen: number[] = [];
  const table = await db.openTable(NAME);
  for await (const found of table.verify({ progress: ({ versionsDone }) => seen.push(versionsDone) })) {
    expect(found.id).toBe("J007-file-missing");
    break;
  }
  expect(seen).toEqual([]);
  await table.verify({ progress: ({ versionsDone }) => seen.push(versionsDone) }).toArray();
  expect(seen).toEqual([1, 2, 3, 4, 5, 6]);
  await db.close();
});

interface Fault {
  readonly name: string;
  readonly ids: readonly FindingId[];
  readonly deep?: boolean;
  readonly plant: (disk: OnDisk) => void;
}

const faults: readonly Fault[] = [
  {
    name: "an empty newest manifest",
    ids: ["J001-head-unreadable"],
    plant: (d) => truncateSync(join(d.directory, manifestOf(6)), 0),
  },
  {
    name: "a torn older manifest",
    ids: ["J002-manifest-unreadable"],
    plant: (d) => truncateSync(join(d.directory, manifestOf(3)), 100),
  },
  {
    name: "a version that vanished",
    ids: ["J003-version-gap"],
    plant: (d) => rmSync(join(d.directory, manifestOf(4))),
  },
  {
    name: "a manifest under another version's name",
    ids: ["J004-manifest-renamed", "J017-transaction-twice"],
    plant: (d) => copyFileSync(join(d.directory, manifestOf(3)), join(d.directory, manifestOf(4))),
  },
  {
    name: "a feature that is not known",
    ids: ["J005-not-supported"],
    plant: (d) => rewrite(d, 6, (m) => ({ ...m, readerFlags: m.readerFlags | (1n << 40n) })),
  },
  {
    name: "a version without a transaction record",
    ids: ["J006-transaction-missing"],
    plant: (d) => rewrite(d, 3, (m) => ({ ...m, transaction: undefined })),
  },
  { name: "a data file that is gone", ids: ["J007-file-missing"], plant: (d) => rmSync(dataFiles(d)[0]!) },
  { name: "a data file cut short", ids: ["J008-file-size"], plant: (d) => truncateSync(dataFiles(d)[0]!, 50) },
  {
    name: "a flipped bit in a data file",
    ids: ["J009-file-damaged"],
    deep: true,
    plant: (d) => flip(dataFiles(d)[0]!, 20),
  },
  {
    name: "a wrong row count",
    ids: ["J010-row-count"],
    plant: (d) => rewrite(d, 1, (m) => changeFragment(m, ({ physicalRows }) => ({ physicalRows: physicalRows + 1 }))),
  },
  {
    name: "a wrong count of deleted rows",
    ids: ["J011-deletions-damaged"],
    plant: (d) =>
      rewrite(d, 3, (m) =>
        changeFragment(m, ({ deletionFile }) => ({ deletionFile: { ...deletionFile, deletedRows: 3 } })),
      ),
  },
  { name: "a deletion file that is gone", ids: ["J007-file-missing"], plant: (d) => rmSync(deletionFile(d)) },
  {
    name: "a flipped bit in a deletion file",
    ids: ["J011-deletions-damaged"],
    plant: (d) => flip(deletionFile(d), 12),
  },
  {
    name: "fragment ids above the highest one",
    ids: ["J012-fragment-ids"],
    plant: (d) => rewrite(d, 2, (m) => ({ ...m, maxFragmentId: 0 })),
  },
  {
    name: "a path that leads out of the table",
    ids: ["J013-path-outside"],
    plant: (d) =>
      rewrite(d, 1, (m) => changeFragment(m, ({ files }) => ({ files: [{ ...files[0], path: "../../etc/passwd" }] }))),
  },
  {
    name: "fields that form no tree",
    ids: ["J014-schema-damaged"],
    plant: (d) => rewrite(d, 1, (m) => ({ ...m, fields: m.fields.map((field) => ({ ...field, id: 0 })) })),
  },
  {
    name: "a column that lies in two files",
    ids: ["J014-schema-damaged"],
    plant: (d) => rewrite(d, 1, (m) => changeFragment(m, ({ files }) => ({ files: [files[0], files[0]] }))),
  },
  {
    name: "flags that hide the deletions",
    ids: ["J015-flags-wrong"],
    plant: (d) => rewrite(d, 3, (m) => ({ ...m, readerFlags: m.readerFlags & ~1n })),
  },
  {
    name: "stable row ids that are not there",
    ids: ["J016-row-ids-damaged"],
    plant: (d) => rewrite(d, 1, (m) => ({ ...m, readerFlags: m.readerFlags | 2n })),
  },
  {
    name: "one transaction in two versions",
    ids: ["J017-transaction-twice"],
    plant: (d) =>
      rewrite(d, 6, (m) => ({
        ...m,
        transaction: encodeTransaction({ ...decodeTransaction(m.transaction!, ""), uuid: uuidOf(d, 2) }),
      })),
  },
  {
    name: "a manifest without its checksum",
    ids: ["J018-checksum-missing"],
    plant: (d) => hideChecksum(join(d.directory, manifestOf(5))),
  },
  {
    name: "a damaged transaction",
    ids: ["J019-transaction-damaged"],
    plant: (d) => rewrite(d, 3, (m) => ({ ...m, transaction: new Uint8Array([255, 255]) })),
  },
  {
    name: "a transaction that comes after its own version",
    ids: ["J019-transaction-damaged"],
    plant: (d) =>
      rewrite(d, 3, (m) => ({
        ...m,
        transaction: encodeTransaction({ ...decodeTransaction(m.transaction!, ""), readVersion: 9 }),
      })),
  },
  { name: "a hint without sense", ids: ["J021-hint-wrong"], plant: (d) => writeFileSync(hint(d), "garbage") },
  {
    name: "a hint beyond the newest version",
    ids: ["J021-hint-wrong"],
    plant: (d) => writeFileSync(hint(d), '{"version":60}'),
  },
  {
    name: "a tag that is no JSON",
    ids: ["J023-reference-unreadable"],
    plant: (d) => writeFileSync(join(d.directory, "_refs/tags/keep.json"), "{"),
  },
  {
    name: "a tag on a version that does not exist",
    ids: ["J024-reference-dangling"],
    plant: (d) => writeFileSync(join(d.directory, "_refs/tags/other.json"), '{"version":77,"manifestSize":1}'),
  },
  {
    name: "a temporary",
    ids: ["J026-temporary-left"],
    plant: (d) => writeFileSync(join(d.directory, "_versions", TEMPORARY), ""),
  },
  {
    name: "a file that no version names",
    ids: ["J028-files-unreferenced"],
    plant: (d) => writeFileSync(join(d.directory, "data/loose.arrow"), ""),
  },
  {
    name: "a strange name among the versions",
    ids: ["J029-name-unknown"],
    plant: (d) => writeFileSync(join(d.directory, "_versions/007.manifest"), ""),
  },
];

const TEMPORARY = `.tmp-${manifestOf(7).slice("_versions/".length)}-${"0".repeat(32)}`;
const hint = ({ directory }: OnDisk) => join(directory, "_versions/latest_version_hint.json");
const deletionFile = ({ directory }: OnDisk) =>
  join(directory, "_deletions", readdirSync(join(directory, "_deletions"))[0]!);

function flip(path: string, at: number): void {
  const bytes = readFileSync(path);
  bytes[at]! ^= 1;
  writeFileSync(path, bytes);
}

function hideChecksum(path: string): void {
  const bytes = readFileSync(path);
  bytes[bytes.indexOf("joustcrc")]! ^= 1;
  writeFileSync(path, bytes);
}

function uuidOf({ directory }: OnDisk, version: number): string {
  const path = join(directory, manifestOf(version));
  return decodeTransaction(decodeManifest(readFileSync(path), path).transaction!, path).uuid;
}

describe("verify finds", () => {
  test.each(faults)("$name", async ({ ids, plant, deep = false }) => {
    const disk = await makeTable("arrow");
    plant(disk);
    const found = await findings(disk.database, { deep });
    expect(idsOf(found)).toEqual([...ids]);
    for (const one of found) expect(one).toMatchObject({ table: NAME, message: expect.stringMatching(/\S/) });
  });

  test("an unreadable boundary, without which no commit is safe", async () => {
    const disk = await makeTable("arrow");
    const db = await connect(disk.database);
    const table = await db.openTable(NAME);
    await table.query().toArray();
    writeFileSync(join(disk.directory, "_coord/retired.json"), "{}");
    expect(idsOf(await table.verify().toArray())).toEqual(["J025-boundary-unreadable"]);
    rmSync(join(disk.directory, "_coord/retired.json"));
    await db.close();
  });

  test("a hint so far behind that readers list all versions", async () => {
    const database = freshDatabase();
    const db = await connect(database, { durability: "relaxed" });
    const table = await db.createTable(NAME, [{ id: 0 }]);
    for (let id = 1; id < 35; id++) await table.add([{ id }]);
    await db.close();
    const path = hint({ database, directory: join(database, `${NAME}.lance`) });
    writeFileSync(path, '{"version":30}');
    expect(await findings(database)).toEqual([]);
    writeFileSync(path, '{"version":1}');
    expect(idsOf(await findings(database))).toEqual(["J022-hint-behind"]);
  });

  test("nothing in the numbers that a vacuum retired", async () => {
    const disk = await makeTable("arrow");
    for (const version of [1, 3]) rmSync(join(disk.directory, manifestOf(version)));
    expect(idsOf(await findings(disk.database))).toContain("J003-version-gap");
    mkdirSync(join(disk.directory, "_coord"), { recursive: true });
    writeFileSync(join(disk.directory, "_coord/retired.json"), '{"upTo":3,"kept":[2]}');
    expect(idsOf(await findings(disk.database))).not.toContain("J003-version-gap");
  });
});

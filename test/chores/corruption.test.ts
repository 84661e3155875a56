/**
 * Every file of small tables, damaged in every way that disks, copies and people damage files: the API then gives the
 * right rows or an error that names file and offset, and verify finds what reading stumbles over.
 *
 * Looks at a sample of the places; with JOUST_CORPUS=all at each bit's byte and each length.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { Database } from "../../src/api/database.js";
import { settingsOf } from "../../src/api/options.js";
import { Connection, type DataFormat, type Finding, isTableError, type Table } from "../../src/index.js";
import type { ObjectStore } from "../../src/store/contract.js";
import { memoryStore } from "../../src/store/memory.js";
import { filesBelow, makeTable, NAME } from "./table-on-disk.js";

const ALL = process.env.JOUST_CORPUS === "all";
/** Flips and cuts of one file in the sample. */
const SAMPLE = 16;

interface Corpus {
  readonly store: ObjectStore;
  readonly files: ReadonlyMap<string, Uint8Array>;
  readonly answer: string;
}

/** A table of ours in memory, with all its files; leases are no part of it. */
async function corpusOf(dataFormat: DataFormat): Promise<Corpus> {
  const { database } = await makeTable(dataFormat);
  const store = memoryStore();
  const files = new Map<string, Uint8Array>();
  for (const path of filesBelow(database)) {
    const bytes = readFileSync(join(database, path));
    files.set(path, bytes);
    await store.write(path, [bytes], { durable: false });
  }
  return { store, files, answer: await read(store) };
}

/** Opens the database as a process would that knows nothing yet. */
async function withConnection<T>(store: ObjectStore, use: (db: Connection) => Promise<T>): Promise<T> {
  const settings = settingsOf({ coordination: { mode: "single_process_unsafe" } });
  const db = new Connection(new Database(store, "memory://"), settings);
  return use(db);
}

/** What a program reads: the newest version, counted too, and an older one by its tag. */
const read = (store: ObjectStore): Promise<string> =>
  withConnection(store, async (db) => {
    const table = await db.openTable(NAME);
    const newest = await rowsOf(table);
    const count = await table.countRows();
    const some = await table.countRows("id > 7 AND name < 'name 25'");
    await table.checkout("keep");
    return JSON.stringify([newest, count, some, await rowsOf(table)]);
  });

const rowsOf = async (table: Table) => (await table.query().toArray()).map((row) => JSON.parse(JSON.stringify(row)));

const findingsOf = (store: ObjectStore): Promise<Finding[]> =>
  withConnection(store, (db) => db.doctor({ table: NAME, deep: true }).toArray());

interface Tally {
  right: number;
  refused: number;
  readonly wrong: string[];
}

/** Puts `bytes` in the place of one file, reads, and puts the file back. */
async function probe(corpus: Corpus, path: string, bytes: Uint8Array, what: string, tally: Tally): Promise<void> {
  await corpus.store.replace(path, [bytes], { durable: false });
  try {
    const answer = await read(corpus.store);
    if (answer === corpus.answer) tally.right++;
    else tally.wrong.push(`${what}: other rows`);
  } catch (error) {
    const problem = problemOf(error);
    if (problem !== undefined) tally.wrong.push(`${what}: ${problem}`);
    else if ((await findingsOf(corpus.store)).length === 0) tally.wrong.push(`${what}: verify finds nothing`);
    else tally.refused++;
  } finally {
    await corpus.store.replace(path, [corpus.files.get(path)!], { durable: false });
  }
}

/** What is wrong with an error; undefined for one that says what is damaged, and where. */
function problemOf(error: unknown): string | undefined {
  if (!isTableError(error)) return `no error of ours: ${String(error)}`;
  const { code, details, message } = error;
  if (code === "NOT_SUPPORTED" || code === "NOT_FOUND") return undefined;
  if (code !== "CORRUPT") return `${code}: ${message}`;
  if (typeof details.path === "string" && typeof details.offset === "number") return undefined;
  return `the error names no file or offset: ${message}`;
}

/** A sample of [0, end), first and last among them; all of it on demand. */
function places(end: number): number[] {
  const count = ALL ? end : Math.min(end, SAMPLE);
  return Array.from({ length: count }, (_, i) => Math.floor((i * (end - 1)) / Math.max(1, count - 1)));
}

describe.each<DataFormat>(["lance", "arrow", "parquet"])(
  "a damaged file of a %s table never gives wrong rows",
  (format) => {
    test("whatever bit is flipped", async () => {
      const corpus = await corpusOf(format);
      const tally: Tally = { right: 0, refused: 0, wrong: [] };
      for (const [path, sound] of corpus.files) {
        for (const at of places(sound.length)) {
          const bytes = Uint8Array.from(sound);
          bytes[at]! ^= 1 << (at % 8);
          await probe(corpus, path, bytes, `${path}, byte ${at}, bit ${at % 8}`, tally);
        }
      }
      expect(tally.wrong).toEqual([]);
      expect(tally.refused).toBeGreaterThan(corpus.files.size);
      if (ALL) console.log(`${format}, flips: ${tally.right} right, ${tally.refused} refused`);
    }, 3_600_000);

    test("wherever it is cut off, and when it grew", async () => {
      const corpus = await corpusOf(format);
      const tally: Tally = { right: 0, refused: 0, wrong: [] };
      for (const [path, sound] of corpus.files) {
        for (const length of places(sound.length)) {
          await probe(corpus, path, sound.slice(0, length), `${path}, cut to ${length}`, tally);
        }
        const grown = new Uint8Array(sound.length + 8);
        grown.set(sound);
        await probe(corpus, path, grown, `${path}, 8 bytes longer`, tally);
      }
      expect(tally.wrong).toEqual([]);
      expect(tally.refused).toBeGreaterThan(corpus.files.size);
      if (ALL) console.log(`${format}, cuts: ${tally.right} right, ${tally.refused} refused`);
    }, 3_600_000);

    test("when it is gone, or another file of the table lies in its place", async () => {
      const corpus = await corpusOf(format);
      const tally: Tally = { right: 0, refused: 0, wrong: [] };
      for (const [path, sound] of corpus.files) {
        for (const [other, bytes] of corpus.files) {
          // Data files of one size are told apart by their names only, which nothing inside them repeats.
          const twins = path.includes("/data/") && other.includes("/data/") && bytes.length === sound.length;
          if (other !== path && !twins)
            await probe(corpus, path, bytes, `${path}, with the content of ${other}`, tally);
        }
      }
      expect(tally.wrong).toEqual([]);
    });
  },
);

test("a file that is missing is an error that says so, or is not needed", async () => {
  const corpus = await corpusOf("lance");
  for (const [path, sound] of corpus.files) {
    await corpus.store.delete(path);
    const answer = await read(corpus.store).catch((error: unknown) => error);
    // Nothing else tells of a tag whose file is gone.
    if (answer !== corpus.answer && !path.includes("/_refs/")) {
      // A newest manifest that is gone with its name leaves no trace but the hint.
      if (!isTableError(answer)) expect(path).toContain("_versions/");
      const found = await findingsOf(corpus.store);
      expect({ path, found: found.length > 0 }).toEqual({ path, found: true });
    }
    await corpus.store.write(path, [sound], { durable: false });
  }
});

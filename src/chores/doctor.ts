/**
 * Findings over all tables of a database and their branches, and the few repairs that a program may make by itself.
 *
 * Repaired on demand: an unreadable newest version is moved to `_coord/quarantine/`, so that the one before becomes the
 * newest; a wrong hint is written anew; temporaries that no writer will use go, and so does what an interrupted drop
 * left. Nothing else is touched, and nothing at all of a table without such findings. Content is never deleted.
 */
import { COORDINATION, newBoundaryMemo, retiredUpTo } from "../commit/boundary.js";
import { listVersionNames } from "../commit/head.js";
import { listLeases } from "../commit/lease-file.js";
import { readManifest } from "../commit/log.js";
import { repairCommand } from "../commit/unreadable-head.js";
import type { FragmentCodec } from "../data/codec.js";
import { BaseDirectories } from "../format/bases.js";
import { encodeHint } from "../format/hint.js";
import {
  branchDirectory,
  HINT_PATH,
  manifestPath,
  parseManifestName,
  SHARED_BY_LINES,
  tableDirectory,
  tableNameOf,
  VERSIONS,
} from "../format/layout.js";
import type { ObjectStore } from "../store/contract.js";
import { lineView } from "../store/line-view.js";
import { nameOf, temporaryTarget } from "../store/paths.js";
import { within } from "../store/within.js";
import { isTableError, TableError } from "../support/errors.js";
import type { Runtime } from "../support/runtime.js";
import { branchNames } from "./branch-files.js";
import { type Finding, finding } from "./findings.js";
import { type VerifyOptions, type VerifySource, verifyTable } from "./verify.js";

export const QUARANTINE = `${COORDINATION}/quarantine`;
/** A temporary that is older is no write under way, whatever a lease says. */
const TEMPORARY_MS_MAX = 60 * 60 * 1000;

export interface DoctorSource {
  /** The store of the whole database. */
  readonly store: ObjectStore;
  readonly codecs: readonly FragmentCodec[];
  readonly runtime: Runtime;
}

export interface DoctorOptions extends VerifyOptions {
  /** Only this table. */
  readonly table?: string;
  /** Repair what can be repaired. Stop programs that write to the table first. */
  readonly fix?: boolean;
}

/** A finding, and what was done about it. */
export interface Diagnosis extends Finding {
  readonly fixed: boolean;
  /** What the repair did, or why it was not made; absent when none was asked for or none is known. */
  readonly repair?: string;
}

/** @throws NOT_FOUND when there is no table of the name asked for */
export async function* doctor(source: DoctorSource, options: DoctorOptions = {}): AsyncGenerator<Diagnosis> {
  const names = options.table === undefined ? undefined : [options.table];
  if (names !== undefined && (await source.store.list(tableDirectory(names[0]!))).length === 0) {
    throw new TableError("NOT_FOUND", `Table '${names[0]}' was not found in ${source.store.display}.`, {
      details: { table: names[0] },
    });
  }
  yield* unfinishedDrops(source, options);
  for (const name of names ?? (await tableDirectories(source.store))) yield* examine(source, name, options);
}

/** The names of all directories that may be tables, readable or not. */
async function tableDirectories(store: ObjectStore): Promise<string[]> {
  const entries = await store.list("");
  return entries.flatMap(({ name, kind }) => (kind === "directory" ? (tableNameOf(name) ?? []) : []));
}

async function* unfinishedDrops({ store }: DoctorSource, options: DoctorOptions): AsyncGenerator<Diagnosis> {
  for (const { name, kind } of await store.list("")) {
    const target = kind === "directory" ? temporaryTarget(name) : undefined;
    const table = target === undefined ? undefined : tableNameOf(target);
    if (table === undefined || (options.table !== undefined && options.table !== table)) continue;
    const message = `${name} is what is left of table ${table}, whose drop was interrupted; nothing reads it.`;
    const found = finding(table, "J027-drop-unfinished", message, { path: name, fix: "doctor --fix removes it." });
    if (options.fix) await store.deleteTree(name);
    yield options.fix ? { ...found, fixed: true, repair: `Removed ${name}.` } : { ...found, fixed: false };
  }
}

async function* examine(source: DoctorSource, table: string, options: DoctorOptions): AsyncGenerator<Diagnosis> {
  const store = within(source.store, tableDirectory(table));
  const { codecs } = source;
  const repair = repairCommand(store, table);
  const lines: VerifySource[] = [{ table, store, codecs, repair }];
  for (const branch of await branchNames(store)) {
    const bases = new BaseDirectories(store.display);
    const view = lineView(store, {
      directory: branchDirectory(branch),
      shared: SHARED_BY_LINES,
      directoryOf: bases.directoryOf,
    });
    lines.push({ table: `${table}@${branch}`, store: view, codecs, repair, line: { branch, bases } });
  }
  for (const line of lines) {
    for await (const found of verifyTable(line, options)) {
      yield options.fix ? await repaired(found, line.store, source.runtime) : { ...found, fixed: false };
    }
  }
}

async function repaired(found: Finding, store: ObjectStore, runtime: Runtime): Promise<Diagnosis> {
  switch (found.id) {
    case "J001-head-unreadable":
      return moveAside(found, store, runtime);
    case "J021-hint-wrong":
    case "J022-hint-behind":
      return renewHint(found, store);
    case "J026-temporary-left":
      return removeTemporary(found, store, runtime);
    default:
      return { ...found, fixed: false };
  }
}

/** The file is copied before its name goes, so that its content is never lost; the version below becomes the head. */
async function moveAside(found: Finding, store: ObjectStore, runtime: Runtime): Promise<Diagnosis> {
  const path = found.path as string;
  const refused = (why: string): Diagnosis => ({ ...found, fixed: false, repair: `Not moved aside: ${why}` });
  const below = await newestReadable(store);
  if (below === undefined) return refused("no older version can be read. Restore the table from a backup.");
  const retired = await retiredUpTo(store, newBoundaryMemo()).catch(() => undefined);
  if (retired === undefined) return refused("the retired boundary cannot be read. Restore that file first.");
  if (below < retired) {
    return refused(`a vacuum has retired all numbers up to ${retired}, so no commit could follow version ${below}.`);
  }
  const before = await store.head(path);
  if (before === undefined) return refused("it is gone by now.");
  const bytes = await store.get(path);
  const aside = `${QUARANTINE}/${nameOf(path)}-${runtime.uuid()}`;
  await store.write(aside, [bytes], { durable: true });
  if ((await store.head(path))?.identity !== before.identity) return refused("somebody else has changed it meanwhile.");
  await store.delete(path);
  await store.replace(HINT_PATH, [encodeHint(below)], { durable: true });
  const repair = `Moved ${path} to ${aside}. Commits of version ${found.version} that were acknowledged may be lost with it.`;
  return { ...found, fixed: true, repair };
}

async function newestReadable(store: ObjectStore): Promise<number | undefined> {
  for (const { version, scheme } of await listVersionNames(store)) {
    try {
      if ((await readManifest(store, version, scheme)) !== undefined) return version;
    } catch (error) {
      // What is newer and in a format that is not known is no damage: nothing below it may become the head.
      if (isTableError(error, "NOT_SUPPORTED")) return undefined;
      if (!isTableError(error, "CORRUPT")) throw error;
    }
  }
  return undefined;
}

async function renewHint(found: Finding, store: ObjectStore): Promise<Diagnosis> {
  const head = (await listVersionNames(store))[0];
  if (head === undefined) return { ...found, fixed: false };
  await store.replace(HINT_PATH, [encodeHint(head.version)], { durable: false });
  return { ...found, fixed: true, repair: `The hint names version ${head.version} now.` };
}

/** A writer that finds its temporary gone fails for certain and starts over, so that even a wrong guess loses nothing. */
async function removeTemporary(found: Finding, store: ObjectStore, runtime: Runtime): Promise<Diagnosis> {
  const path = found.path as string;
  const info = await store.head(path);
  if (info === undefined) return { ...found, fixed: true, repair: "It is gone by now." };
  const isOld = runtime.now() - info.modifiedMs > TEMPORARY_MS_MAX;
  if (!isOld && !(await isPassed(path, store)) && (await mayBeWriting(store, runtime))) {
    return { ...found, fixed: false, repair: "Kept: a process has a lease on the table and may be writing it." };
  }
  await store.delete(path);
  return { ...found, fixed: true, repair: `Removed ${path}.` };
}

/** True unless every process that has a lease on the table has given it back, or is proved to have ended. */
async function mayBeWriting(store: ObjectStore, runtime: Runtime): Promise<boolean> {
  return (await listLeases(store)).some(({ content }) => {
    if (content?.ended) return false;
    return content?.process === undefined || runtime.processes?.stateOf(content.process) !== "gone";
  });
}

/** True for the temporary of a version whose name is taken: it can never become a version. */
async function isPassed(path: string, store: ObjectStore): Promise<boolean> {
  const target = path.startsWith(`${VERSIONS}/`) ? temporaryTarget(nameOf(path)) : undefined;
  const parsed = target === undefined ? undefined : parseManifestName(target);
  return parsed !== undefined && (await store.head(manifestPath(parsed.version, parsed.scheme))) !== undefined;
}

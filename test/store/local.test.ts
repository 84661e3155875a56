/** What is special about objects that are files: modes, links, descriptors, shared syncs, outside changes. */
import { execFileSync, spawn } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { ObjectStore } from "../../src/store/contract.js";
import { type FileSystem, nodeFiles } from "../../src/store/files.js";
import { localStore } from "../../src/store/local.js";
import { simulate } from "../sim/world.js";

const bytes = (text: string) => new TextEncoder().encode(text);
const DURABLE = { durable: true };
const RELAXED = { durable: false };

let scratch: string;
let root: string;
beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), "joust-local-"));
  root = join(scratch, "db");
});
afterEach(() => rmSync(scratch, { recursive: true }));

/** Descriptors of this process that lead below the scratch directory. */
function openBelowScratch(): string[] {
  return readdirSync("/proc/self/fd")
    .map((descriptor) => {
      try {
        return readlinkSync(`/proc/self/fd/${descriptor}`);
      } catch {
        return "";
      }
    })
    .filter((target) => target.startsWith(scratch));
}

test("files are for their owner only, and so are directories", async () => {
  const store = localStore(root);
  await store.write("t/data/x", [bytes("x")], DURABLE);
  await store.create("t/v/1", [bytes("x")], DURABLE);
  const mode = (path: string) => statSync(join(root, path)).mode & 0o777;
  for (const path of ["t/data/x", "t/v/1"]) expect(mode(path) & 0o177).toBe(0);
  for (const path of ["", "t", "t/data", "t/v"]) expect(mode(path) & 0o077).toBe(0);
});

test("every operation gives its descriptors back, also when it fails", async () => {
  const store = localStore(root);
  await store.write("t/x", [bytes("x")], DURABLE);
  await store.probe();
  await store.create("t/y", [bytes("y")], DURABLE);
  await store.create("t/y", [bytes("y")], DURABLE);
  await store.replace("t/y", [bytes("z")], DURABLE);
  await store.sync(["t/x"]);
  await store.get("t/x");
  await (await store.open("t/x")).close();
  await expect(store.write("t/x", [bytes("x")], DURABLE)).rejects.toMatchObject({ code: "ALREADY_EXISTS" });
  await expect(store.get("t")).rejects.toMatchObject({ code: "NOT_FOUND" });
  await expect(store.open("t")).rejects.toMatchObject({ code: "NOT_FOUND" });
  await expect(store.write("t/x/below", [bytes("x")], DURABLE)).rejects.toMatchObject({ code: "UNAVAILABLE" });
  expect(openBelowScratch()).toEqual([]);
});

test("no more than a bounded number of files is open at once, however many operations are asked for", async () => {
  const world = simulate(1);
  const process = world.process();
  let most = 0;
  world.onCall = () => {
    most = Math.max(most, world.openFiles);
    return undefined;
  };
  const store = process.store("/db");
  await world.run(async () => {
    const paths = Array.from({ length: 600 }, (_, i) => `t/${i % 5}/${i}`);
    await Promise.all(paths.map((path) => store.write(path, [bytes(path)], DURABLE)));
    await Promise.all(paths.map((path) => store.get(path)));
  });
  expect(most).toBeGreaterThan(50);
  expect(most).toBeLessThan(150);
  expect(world.openFiles).toBe(0);
});

test("a name too long for the file system is the caller's mistake", async () => {
  const store = localStore(root);
  await expect(store.write(`t/${"x".repeat(300)}`, [], RELAXED)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
});

test("a file that shrank under an open handle gives CORRUPT with path and offset, not zeros", async () => {
  const store = localStore(root);
  await store.write("x", [bytes("0123456789")], RELAXED);
  const handle = await store.open("x");
  truncateSync(join(root, "x"), 4);
  await expect(handle.read(2, 8)).rejects.toMatchObject({
    code: "CORRUPT",
    details: { path: join(root, "x"), offset: 4 },
  });
  await handle.close();
});

test("a pipe or a giant hole in the place of an object gives an error, and never waits or fills the memory", async () => {
  const store = localStore(root);
  await store.write("x", [bytes("x")], RELAXED);
  execFileSync("mkfifo", [join(root, "pipe")]);
  // Whoever waits for a writer at the pipe gets one in the end, so that the mistake is a failure and not a hang.
  const writer = spawn("sh", ["-c", `sleep 4; [ -p "${join(root, "pipe")}" ] && : > "${join(root, "pipe")}"`]);
  const started = performance.now();
  await expect(store.open("pipe")).rejects.toMatchObject({ code: "NOT_FOUND" });
  expect(await store.head("pipe")).toBeUndefined();
  expect(performance.now() - started).toBeLessThan(3_000);
  writer.kill();
  truncateSync(join(root, "x"), 2 ** 40);
  await expect(store.get("x")).rejects.toMatchObject({ code: "CORRUPT", details: { path: join(root, "x") } });
});

test("a tree is gone at once when it is removed: nobody sees a half", async () => {
  const world = simulate(2);
  const [remover, watcher] = [world.process(), world.process()];
  const [store, seen] = [remover.store("/db"), watcher.store("/db")];
  await world.run(async () => {
    for (let i = 0; i < 10; i++) await store.write(`t/v/${i}`, [bytes("x")], DURABLE);
    let removing = true;
    const removal = store.deleteTree("t").then(() => {
      removing = false;
    });
    while (removing) expect([0, 10]).toContain((await seen.list("t/v")).length);
    await removal;
  });
  expect(world.disk.tree()).toEqual({});
});

test("an empty directory is removed, one that holds something stays, and a missing one is fine", async () => {
  const store = localStore(root);
  await store.write("t/a/b/x", [bytes("x")], RELAXED);
  await store.deleteEmpty?.("t/a");
  expect(await store.get("t/a/b/x")).toEqual(bytes("x"));
  await store.delete("t/a/b/x");
  for (const directory of ["t/a/b", "t/a", "t/a", "no/such"]) await store.deleteEmpty?.(directory);
  expect(await store.list("t")).toEqual([]);
  await store.write("t/a/b/x", [bytes("y")], DURABLE);
  await store.deleteEmpty?.("t/a/b/x");
  expect(await store.get("t/a/b/x")).toEqual(bytes("y"));
  await expect(store.deleteEmpty?.("../x")).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
});

test("who writes below a directory while others remove it empty always succeeds", async () => {
  for (let seed = 1; seed <= 40; seed++) {
    const world = simulate(seed);
    const [writer, remover] = [world.process().store("/db"), world.process().store("/db")];
    await world.run(async () => {
      for (let round = 0; round < 5; round++) {
        const written = writer.write("t/a/b/x", [bytes("x")], DURABLE);
        await Promise.all([written, ...["t/a/b", "t/a", "t"].map((directory) => remover.deleteEmpty?.(directory))]);
        expect(await remover.get("t/a/b/x")).toEqual(bytes("x"));
        await writer.delete("t/a/b/x");
      }
    });
  }
});

describe("symbolic links that lead outside the root", () => {
  let outside: string;
  let store: ObjectStore;
  beforeEach(() => {
    outside = join(scratch, "outside");
    mkdirSync(join(outside, "inner"), { recursive: true });
    writeFileSync(join(outside, "secret"), "secret");
    writeFileSync(join(outside, "inner", "secret"), "secret");
    mkdirSync(join(root, "t"), { recursive: true });
    symlinkSync(outside, join(root, "t", "link"));
    symlinkSync(join(outside, "secret"), join(root, "t", "file"));
    store = localStore(root);
  });
  const untouched = () => {
    expect(readdirSync(outside).sort()).toEqual(["inner", "secret"]);
    expect(readdirSync(join(outside, "inner"))).toEqual(["secret"]);
  };
  const refused = { code: "CORRUPT", message: expect.stringContaining("symbolic link") };

  test("are refused for every kind of access through a directory", async () => {
    for (const at of ["t/link", "t/link/inner"]) {
      await expect(store.get(`${at}/secret`)).rejects.toMatchObject(refused);
      await expect(store.open(`${at}/secret`)).rejects.toMatchObject(refused);
      await expect(store.head(`${at}/secret`)).rejects.toMatchObject(refused);
      await expect(store.sync([`${at}/secret`])).rejects.toMatchObject(refused);
      await expect(store.list(at)).rejects.toMatchObject(refused);
      await expect(store.write(`${at}/new`, [bytes("x")], RELAXED)).rejects.toMatchObject(refused);
      await expect(store.write(`${at}/deeper/new`, [bytes("x")], DURABLE)).rejects.toMatchObject(refused);
      await expect(store.replace(`${at}/secret`, [bytes("x")], RELAXED)).rejects.toMatchObject(refused);
      await expect(store.create(`${at}/new`, [bytes("x")], RELAXED)).rejects.toMatchObject(refused);
      await expect(store.stage(`${at}/new`, [bytes("x")], RELAXED)).rejects.toMatchObject(refused);
      await expect(store.delete(`${at}/secret`)).rejects.toMatchObject(refused);
      await expect(store.deleteTree(at)).rejects.toMatchObject(refused);
    }
    untouched();
  });

  test("are refused for objects, and removing a tree removes the links only", async () => {
    await expect(store.get("t/file")).rejects.toMatchObject(refused);
    await expect(store.open("t/file")).rejects.toMatchObject(refused);
    await expect(store.head("t/file")).rejects.toMatchObject(refused);
    await expect(store.write("t/file", [bytes("x")], RELAXED)).rejects.toMatchObject({ code: "ALREADY_EXISTS" });
    await store.replace("t/file", [bytes("mine")], RELAXED);
    expect(Buffer.from(await store.get("t/file")).toString()).toBe("mine");
    await store.deleteTree("t");
    expect(existsSync(join(root, "t"))).toBe(false);
    untouched();
  });

  test("are refused when the place has a name that only begins like the root's", async () => {
    mkdirSync(`${root}-other`);
    symlinkSync(`${root}-other`, join(root, "t", "near"));
    await expect(store.write("t/near/x", [bytes("x")], RELAXED)).rejects.toMatchObject(refused);
    expect(readdirSync(`${root}-other`)).toEqual([]);
  });

  test("are refused also where a directory of our own stood before", async () => {
    await store.write("t/data/x", [bytes("x")], RELAXED);
    rmSync(join(root, "t"), { recursive: true });
    symlinkSync(outside, join(root, "t"));
    await expect(store.write("t/data/x", [bytes("x")], RELAXED)).rejects.toMatchObject(refused);
    untouched();
  });

  test("do not matter above the root or when they stay inside", async () => {
    symlinkSync(root, join(scratch, "alias"));
    symlinkSync(join(root, "t"), join(root, "inside"));
    const aliased = localStore(join(scratch, "alias"));
    await aliased.write("u/x", [bytes("x")], DURABLE);
    await aliased.write("inside/x", [bytes("y")], DURABLE);
    expect(Buffer.from(await store.get("t/x")).toString()).toBe("y");
    expect(Buffer.from(await store.get("u/x")).toString()).toBe("x");
  });
});

describe("syncs of one directory", () => {
  /** The calls that reached the file system, by kind, while `act` ran. */
  async function counted(act: (store: ObjectStore) => Promise<unknown>): Promise<Map<string, number>> {
    const world = simulate(3);
    const store = world.process().store("/db");
    const counts = new Map<string, number>();
    await world.run(async () => {
      await store.write("t/data/0", [bytes("x")], DURABLE);
      await store.write("t/v/0", [bytes("x")], DURABLE);
      world.onCall = ({ operation, path }) => {
        const kind = operation === "sync" ? `sync ${/\/(v|data)$/.test(path) ? "directory" : "file"}` : operation;
        counts.set(kind, (counts.get(kind) ?? 0) + 1);
        return undefined;
      };
      await act(store);
    });
    return counts;
  }

  test("are shared by all who wait for one, and one more for those who come too late", async () => {
    const counts = await counted((store) =>
      Promise.all(Array.from({ length: 30 }, (_, i) => store.write(`t/data/new${i}`, [bytes("x")], DURABLE))),
    );
    expect(counts.get("sync file")).toBe(30);
    expect(counts.get("sync directory")).toBeLessThan(20);
  });

  test("a commit makes four syncs, one link and no look at directories it already knows", async () => {
    const counts = await counted(async (store) => {
      const [, staged] = await Promise.all([
        store.write("t/data/1", [bytes("rows")], DURABLE),
        store.stage("t/v/1", [bytes("version")], DURABLE),
      ]);
      await staged.publish();
    });
    expect(Object.fromEntries(counts)).toEqual({
      openNew: 2,
      write: 2,
      stat: 4,
      "sync file": 2,
      "sync directory": 2,
      openDirectory: 2,
      close: 4,
      link: 1,
      unlink: 1,
    });
  });

  test("relaxed writes make none", async () => {
    const counts = await counted(async (store) => {
      await store.write("t/data/1", [bytes("rows")], RELAXED);
      await store.create("t/v/1", [bytes("version")], RELAXED);
      await store.replace("t/v/1", [bytes("version")], RELAXED);
    });
    expect([...counts.keys()].filter((kind) => kind.startsWith("sync"))).toEqual([]);
  });

  test("a directory that another process removed and made anew is made durable again, up to the root", async () => {
    const world = simulate(4);
    const [ours, theirs] = [world.process(), world.process()];
    const store = ours.store("/db");
    await world.run(async () => {
      await store.create("t/v/1", [bytes("one")], DURABLE);
      await theirs.store("/db").deleteTree("t");
      await theirs.store("/db").write("t/v/1", [bytes("theirs")], RELAXED);
      expect(await store.create("t/v/2", [bytes("two")], DURABLE)).toBe("created");
    });
    world.crash(() => "lost");
    expect(world.disk.tree()["/db/t/v/2"]).toBe("two");
  });
});

test("short reads and writes of the system are carried on where they stopped", async () => {
  const chunks = Array.from({ length: 3_000 }, (_, i) => new Uint8Array(1 + (i % 50)).fill(i));
  const handle = await nodeFiles.openNew(join(scratch, "x"));
  await handle.write(chunks);
  await handle.write([]);
  await handle.close();
  const whole = Buffer.concat(chunks);
  const reader = await nodeFiles.openRead(join(scratch, "x"));
  const into = new Uint8Array(whole.byteLength + 10);
  expect(await reader.read(into, 0)).toBe(whole.byteLength);
  expect(Buffer.compare(into.subarray(0, whole.byteLength), whole)).toBe(0);
  await reader.close();
});

test("the system's own errors reach the store with their codes", async () => {
  const files: FileSystem = nodeFiles;
  await expect(files.openRead(join(scratch, "none"))).rejects.toMatchObject({ code: "ENOENT" });
  expect(await files.stat(join(scratch, "none"))).toBeUndefined();
  await files.mkdir(join(scratch, "d"));
  await expect(files.mkdir(join(scratch, "d"))).rejects.toMatchObject({ code: "EEXIST" });
  await expect(files.rmdir(join(scratch, "none"))).rejects.toMatchObject({ code: "ENOENT" });
});

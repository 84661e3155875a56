/** The simulated disk really loses what was not synced, and nothing else. */
import { describe, expect, test } from "vitest";
import { Chance } from "./chance.js";
import { type FileInode, type Keep, SimulatedDisk, type UnsyncedChange } from "./simulated-disk.js";
import { keepAll, keepByChance, keepNothing } from "./world.js";

const bytes = (text: string) => new TextEncoder().encode(text);

function put(disk: SimulatedDisk, path: string, ...texts: string[]): FileInode {
  const inode = disk.createFile(path);
  for (const text of texts) disk.append(inode, bytes(text));
  return inode;
}

const syncNow = (disk: SimulatedDisk, path: string) => disk.sync(disk.find(path)!, disk.mark);

function synced(): SimulatedDisk {
  const disk = new SimulatedDisk();
  disk.mkdir("/d");
  put(disk, "/d/old", "old");
  for (const path of ["/d/old", "/d", "/"]) syncNow(disk, path);
  return disk;
}

describe("a crash of the simulated disk", () => {
  test("keeps what was synced: content, name, and the name of the directory", () => {
    const disk = synced();
    expect(disk.unsynced()).toEqual([]);
    disk.crash(keepNothing);
    expect(disk.tree()).toEqual({ "/d/old": "old" });
  });

  test("loses a name whose directory was not synced, although the file was", () => {
    const disk = synced();
    put(disk, "/d/new", "new");
    syncNow(disk, "/d/new");
    disk.crash(keepNothing);
    expect(disk.tree()).toEqual({ "/d/old": "old" });
  });

  test("leaves an empty file when the name was synced and the content was not", () => {
    const disk = synced();
    put(disk, "/d/new", "new");
    syncNow(disk, "/d");
    disk.crash(keepNothing);
    expect(disk.tree()).toEqual({ "/d/old": "old", "/d/new": "" });
  });

  test("loses a whole directory whose name was not synced, with all that was synced inside", () => {
    const disk = synced();
    disk.mkdir("/d/e");
    put(disk, "/d/e/new", "new");
    syncNow(disk, "/d/e/new");
    syncNow(disk, "/d/e");
    disk.crash(keepNothing);
    expect(disk.tree()).toEqual({ "/d/old": "old" });
    expect(disk.find("/d/e")).toBeUndefined();
  });

  test("keeps everything when the chooser says so", () => {
    const disk = synced();
    put(disk, "/d/new", "n", "ew");
    disk.crash(keepAll);
    expect(disk.tree()).toEqual({ "/d/old": "old", "/d/new": "new" });
  });

  test("tears writes: a prefix, a hole of zeros before a later write, zeros, some pages", () => {
    const crashed = (keep: Keep, ...texts: string[]) => {
      const disk = synced();
      put(disk, "/d/new", ...texts);
      syncNow(disk, "/d");
      disk.crash(keep);
      return disk.tree()["/d/new"];
    };
    const fates =
      (...each: ReturnType<Keep>[]): Keep =>
      () =>
        each.shift() ?? "lost";
    expect(crashed(fates({ prefixBytes: 2 }), "abc")).toBe("ab");
    expect(crashed(fates("lost", "kept"), "abc", "def")).toBe("\0\0\0def");
    expect(crashed(fates("zeros"), "abc")).toBe("\0\0\0");
    const pages = ["a".repeat(4096), "b".repeat(4096), "c"].join("");
    expect(crashed(fates({ pages: (index) => index !== 1 }), pages)).toBe(`${"a".repeat(4096)}${"\0".repeat(4096)}c`);
  });

  test("may keep a later change of names and lose an earlier one", () => {
    const disk = synced();
    put(disk, "/d/one", "1");
    put(disk, "/d/two", "2");
    const inodes: string[] = [];
    disk.crash((change: UnsyncedChange) => {
      inodes.push(change.kind);
      return change.kind === "names" && change.names[0]?.name === "one" ? "lost" : "kept";
    });
    expect(disk.tree()).toEqual({ "/d/old": "old", "/d/two": "2" });
    expect(inodes).toEqual(["names", "write", "names", "write"]);
  });

  test("brings a removed file back when its removal was not synced, and gives no inode number twice", () => {
    const disk = synced();
    const { number } = disk.find("/d/old")!;
    disk.unlink("/d/old");
    expect(put(disk, "/d/new", "new").number).toBe(number);
    syncNow(disk, "/d/new");
    disk.crash((change) => (change.kind === "names" && change.names[0]?.inode === undefined ? "lost" : "kept"));
    expect(disk.tree()).toEqual({ "/d/old": "old", "/d/new": "new" });
    expect(disk.find("/d/old")?.number).not.toBe(disk.find("/d/new")?.number);
  });

  test("does a rename wholly or not at all", () => {
    for (const keep of [keepNothing, keepAll]) {
      const disk = synced();
      put(disk, "/d/new", "new");
      syncNow(disk, "/d/new");
      syncNow(disk, "/d");
      disk.rename("/d/new", "/d/old");
      disk.crash(keep);
      expect(disk.tree()).toEqual(keep === keepAll ? { "/d/old": "new" } : { "/d/old": "old", "/d/new": "new" });
    }
  });
});

describe("a sync on the simulated disk", () => {
  test("covers what was done before it began, not what was done before it ended", () => {
    const disk = synced();
    const file = put(disk, "/d/new", "before ");
    const mark = disk.mark;
    disk.append(file, bytes("after"));
    put(disk, "/d/late", "");
    disk.sync(file, mark);
    disk.sync(disk.find("/d")!, mark);
    disk.crash(keepNothing);
    expect(disk.tree()).toEqual({ "/d/old": "old", "/d/new": "before " });
  });

  test("that failed loses the pages for good: a second sync of the file succeeds and proves nothing", () => {
    const disk = synced();
    const file = put(disk, "/d/new", "lost");
    syncNow(disk, "/d");
    disk.failSync(file, keepNothing);
    syncNow(disk, "/d/new");
    expect(disk.tree()["/d/new"]).toBe("lost");
    disk.crash(keepNothing);
    expect(disk.tree()["/d/new"]).toBe("");
  });
});

test("a copy of the disk can crash without the original noticing", () => {
  const disk = synced();
  put(disk, "/d/new", "new");
  disk.copy().crash(keepNothing);
  expect(disk.tree()).toEqual({ "/d/old": "old", "/d/new": "new" });
  const copy = disk.copy();
  copy.crash(keepAll);
  expect(copy.tree()).toEqual(disk.tree());
});

test("crashes by chance reach every fate, and the same seed gives the same one", () => {
  const crashed = (seed: number) => {
    const disk = synced();
    put(disk, "/d/new", "a".repeat(10_000));
    disk.crash(keepByChance(new Chance(seed)));
    return disk.tree()["/d/new"];
  };
  const results = Array.from({ length: 200 }, (_, seed) => crashed(seed));
  expect(results).toEqual(Array.from({ length: 200 }, (_, seed) => crashed(seed)));
  const kinds = new Set(
    results.map((each) => {
      if (each === undefined) return "no name";
      if (each === "") return "empty";
      if (/^a+$/.test(each)) return each.length === 10_000 ? "whole" : "prefix";
      return /^\0+$/.test(each) ? "zeros" : "pages";
    }),
  );
  expect([...kinds].sort()).toEqual(["empty", "no name", "pages", "prefix", "whole", "zeros"]);
});

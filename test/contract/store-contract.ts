/**
 * What every store must do, sentence by sentence of `src/store/contract.ts`, races included.
 *
 * A store passes `open`, which returns a store whose root is empty.
 */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Bytes, ObjectStore } from "../../src/store/contract.js";
import { temporaryTarget } from "../../src/store/paths.js";
import type { ErrorCode } from "../../src/support/errors.js";

export interface StoreUnderTest {
  readonly store: ObjectStore;
  close(): Promise<void>;
}

const DURABLE = { durable: true };
const RELAXED = { durable: false };

const bytes = (text: string): Bytes => new TextEncoder().encode(text) as Bytes;
const text = (value: Uint8Array) => new TextDecoder().decode(value);
const code = (expected: ErrorCode) => expect.objectContaining({ name: "TableError", code: expected });

async function names(store: ObjectStore, directory: string): Promise<string[]> {
  return (await store.list(directory)).map((entry) => entry.name);
}

const REFUSED_PATHS = [
  "",
  ".",
  "..",
  "/",
  "/a",
  "a/",
  "a//b",
  "./a",
  "a/.",
  "a/./b",
  "../a",
  "a/..",
  "a/../b",
  "a\\b",
  "..\\a",
  "a\0b",
  "\ud800",
];

export function storeContract(title: string, open: () => Promise<StoreUnderTest>): void {
  describe(`the store contract, kept by ${title}`, () => {
    let store: ObjectStore;
    let opened: StoreUnderTest;
    beforeEach(async () => {
      opened = await open();
      store = opened.store;
    });
    afterEach(() => opened.close());

    describe("paths", () => {
      const operations: Record<string, (path: string) => Promise<unknown>> = {
        get: (path) => store.get(path),
        open: (path) => store.open(path),
        head: (path) => store.head(path),
        write: (path) => store.write(path, [], RELAXED),
        replace: (path) => store.replace(path, [], RELAXED),
        create: (path) => store.create(path, [], RELAXED),
        stage: (path) => store.stage(path, [], RELAXED),
        sync: (path) => store.sync([path]),
        delete: (path) => store.delete(path),
        deleteTree: (path) => store.deleteTree(path),
      };
      for (const [operation, call] of Object.entries(operations)) {
        test(`${operation} refuses every path that is not in normal form and touches nothing`, async () => {
          await store.write("keep", [bytes("k")], RELAXED);
          for (const path of REFUSED_PATHS) {
            await expect(call(path), JSON.stringify(path)).rejects.toEqual(code("INVALID_ARGUMENT"));
          }
          expect(await names(store, "")).toEqual(["keep"]);
        });
      }

      test("list refuses every directory that is not in normal form but the root", async () => {
        for (const path of REFUSED_PATHS.filter((each) => each !== "")) {
          await expect(store.list(path), JSON.stringify(path)).rejects.toEqual(code("INVALID_ARGUMENT"));
        }
        expect(await store.list("")).toEqual([]);
      });

      test("names with spaces, dots, signs and letters of any script keep their objects apart", async () => {
        const odd = ["a b", "..a", "a..", ".hidden", "ü", "日本", "😀", "x%2Fy", "con:", "__proto__", "constructor"];
        for (const name of odd) await store.write(`d/${name}`, [bytes(name)], RELAXED);
        for (const name of odd) expect(text(await store.get(`d/${name}`))).toBe(name);
        expect((await names(store, "d")).toSorted()).toEqual(odd.toSorted());
      });
    });

    describe("reading", () => {
      test("a missing object is NOT_FOUND to get, open and sync, and undefined to head", async () => {
        for (const path of ["none", "no/such/place"]) {
          await expect(store.get(path)).rejects.toEqual(code("NOT_FOUND"));
          await expect(store.open(path)).rejects.toEqual(code("NOT_FOUND"));
          await expect(store.sync([path])).rejects.toEqual(code("NOT_FOUND"));
          expect(await store.head(path)).toBeUndefined();
        }
      });

      test("a directory is no object", async () => {
        await store.write("d/o", [bytes("x")], RELAXED);
        await expect(store.get("d")).rejects.toEqual(code("NOT_FOUND"));
        await expect(store.open("d")).rejects.toEqual(code("NOT_FOUND"));
        expect(await store.head("d")).toBeUndefined();
      });

      test("there is nothing below an object: nothing to read, to list or to delete, and nothing can be put there", async () => {
        await store.write("o", [bytes("x")], RELAXED);
        await expect(store.get("o/p")).rejects.toEqual(code("NOT_FOUND"));
        await expect(store.open("o/p")).rejects.toEqual(code("NOT_FOUND"));
        await expect(store.sync(["o/p"])).rejects.toEqual(code("NOT_FOUND"));
        expect(await store.head("o/p")).toBeUndefined();
        expect(await store.list("o")).toEqual([]);
        expect(await store.list("o/p")).toEqual([]);
        await store.delete("o/p");
        await store.deleteTree("o/p");
        await store.deleteTree("o");
        await expect(store.write("o/p", [], RELAXED)).rejects.toEqual(code("UNAVAILABLE"));
        await expect(store.create("o/p/q", [], RELAXED)).rejects.toEqual(code("UNAVAILABLE"));
        expect(await names(store, "")).toEqual(["o"]);
      });

      test("a directory's name is taken, and deleting it as an object does nothing", async () => {
        await store.write("d/o", [bytes("x")], RELAXED);
        await expect(store.write("d", [], RELAXED)).rejects.toEqual(code("ALREADY_EXISTS"));
        await expect(store.replace("d", [], RELAXED)).rejects.toEqual(code("UNAVAILABLE"));
        expect(await store.create("d", [], RELAXED)).toBe("exists");
        await store.delete("d");
        expect([await names(store, ""), await names(store, "d")]).toEqual([["d"], ["o"]]);
      });

      test("get returns bytes that own their buffer and that nobody else sees", async () => {
        await store.write("o", [bytes("abc")], RELAXED);
        const first = await store.get("o");
        expect([first.byteOffset, first.buffer.byteLength]).toEqual([0, 3]);
        first.fill(0);
        expect(text(await store.get("o"))).toBe("abc");
      });

      test("ranged reads return exactly the bytes asked for, in buffers of their own", async () => {
        await store.write("o", [bytes("0123456789")], RELAXED);
        const handle = await store.open("o");
        expect([handle.path, handle.sizeBytes]).toEqual(["o", 10]);
        const [middle, empty, whole] = await Promise.all([handle.read(3, 6), handle.read(4, 4), handle.read(0, 10)]);
        expect([text(middle), text(empty), text(whole)]).toEqual(["345", "", "0123456789"]);
        expect([middle.byteOffset, middle.buffer.byteLength]).toEqual([0, 3]);
        await handle.close();
      });

      test("a read past the end is CORRUPT with path and offset, a range that is none is INVALID_ARGUMENT", async () => {
        await store.write("o", [bytes("0123")], RELAXED);
        const handle = await store.open("o");
        const failure = handle.read(2, 5);
        await expect(failure).rejects.toEqual(code("CORRUPT"));
        await expect(failure).rejects.toMatchObject({ details: { path: expect.stringContaining("o"), offset: 4 } });
        await expect(handle.read(0, Number.MAX_SAFE_INTEGER)).rejects.toEqual(code("CORRUPT"));
        for (const [start, end] of [
          [-1, 2],
          [3, 2],
          [0.5, 1],
          [0, Number.NaN],
          [0, Number.POSITIVE_INFINITY],
        ] as const) {
          await expect(handle.read(start, end)).rejects.toEqual(code("INVALID_ARGUMENT"));
        }
        await handle.close();
      });

      test("a closed handle answers CLOSED, and closing twice is fine", async () => {
        await store.write("o", [bytes("x")], RELAXED);
        const handle = await store.open("o");
        await handle.close();
        await handle.close();
        await expect(handle.read(0, 1)).rejects.toEqual(code("CLOSED"));
      });

      test("an open handle goes on reading an object that was deleted or replaced", async () => {
        await store.write("a", [bytes("first")], RELAXED);
        await store.write("b", [bytes("first")], RELAXED);
        const [a, b] = [await store.open("a"), await store.open("b")];
        await store.delete("a");
        await store.replace("b", [bytes("other")], RELAXED);
        expect(text(await a.read(0, 5))).toBe("first");
        expect(text(await b.read(0, 5))).toBe("first");
        await Promise.all([a.close(), b.close()]);
      });

      test("head tells size and time, and another identity once the object was replaced", async () => {
        await store.write("o", [bytes("abc")], RELAXED);
        const before = await store.head("o");
        expect(before).toMatchObject({ sizeBytes: 3, modifiedMs: expect.any(Number) });
        expect(await store.head("o")).toEqual(before);
        await store.replace("o", [bytes("abc")], RELAXED);
        expect((await store.head("o"))?.identity).not.toBe(before?.identity);
      });

      test("the identity of a published object stays what it was when the temporary's name goes", async () => {
        const staged = await store.stage("o", [bytes("x")], RELAXED);
        const temporary = (await names(store, ""))[0] as string;
        const before = await store.head(temporary);
        await staged.publish();
        expect((await store.head("o"))?.identity).toBe(before?.identity);
      });
    });

    describe("listing", () => {
      test("names come in ascending byte order with their kinds, of this directory only", async () => {
        for (const path of ["b", "a/x", "a/y/z", "B", "aa", "\uffee", "😀", "Z"]) await store.write(path, [], RELAXED);
        expect(await store.list("")).toEqual([
          { name: "B", kind: "object" },
          { name: "Z", kind: "object" },
          { name: "a", kind: "directory" },
          { name: "aa", kind: "object" },
          { name: "b", kind: "object" },
          { name: "\uffee", kind: "object" },
          { name: "😀", kind: "object" },
        ]);
        expect(await store.list("a")).toEqual([
          { name: "x", kind: "object" },
          { name: "y", kind: "directory" },
        ]);
      });

      test("`after` leaves out every name up to and including it, whether it exists or not", async () => {
        for (const name of ["1", "3", "5"]) await store.write(`d/${name}`, [], RELAXED);
        const listAfter = async (name: string) => (await store.list("d", { after: name })).map((entry) => entry.name);
        expect([await listAfter("1"), await listAfter("2"), await listAfter("5"), await listAfter("")]).toEqual([
          ["3", "5"],
          ["3", "5"],
          [],
          ["1", "3", "5"],
        ]);
      });

      test("a missing directory has no entries", async () => {
        expect(await store.list("none")).toEqual([]);
        expect(await store.list("no/such")).toEqual([]);
      });
    });

    for (const options of [DURABLE, RELAXED]) {
      const how = options.durable ? "durable" : "relaxed";
      describe(`writing, ${how}`, () => {
        test("write makes the directories it needs and puts the chunks one after the other", async () => {
          await store.write("a/b/c/o", [bytes("one"), new Uint8Array(0), bytes("two")], options);
          expect(text(await store.get("a/b/c/o"))).toBe("onetwo");
          await store.write("empty", [], options);
          expect((await store.get("empty")).byteLength).toBe(0);
        });

        test("many and large chunks arrive whole and in order", async () => {
          const chunks = Array.from({ length: 2500 }, (_, i) => new Uint8Array(100).fill(i % 251));
          chunks.push(new Uint8Array(3_000_000).fill(7));
          await store.write("large", chunks, options);
          const stored = await store.get("large");
          expect(Buffer.compare(stored, Buffer.concat(chunks))).toBe(0);
        });

        test("write refuses a name that is taken and leaves the object alone", async () => {
          await store.write("o", [bytes("first")], options);
          await expect(store.write("o", [bytes("second")], options)).rejects.toEqual(code("ALREADY_EXISTS"));
          expect(text(await store.get("o"))).toBe("first");
        });

        test("what the caller does with its chunks after the promise settled does not matter", async () => {
          const chunk = bytes("abc");
          await store.write("o", [chunk], options);
          const staged = await store.stage("p", [chunk], options);
          chunk.fill(0);
          await staged.publish();
          expect([text(await store.get("o")), text(await store.get("p"))]).toEqual(["abc", "abc"]);
          expect([...chunk]).toEqual([0, 0, 0]);
        });

        test("replace creates or replaces, and leaves no temporary", async () => {
          await store.replace("d/o", [bytes("one")], options);
          await store.replace("d/o", [bytes("two")], options);
          expect(text(await store.get("d/o"))).toBe("two");
          expect(await names(store, "d")).toEqual(["o"]);
        });

        test("readers of an object that is being replaced see an old or a new whole, never a mix or nothing", async () => {
          const whole = (i: number) => new Uint8Array(50_000).fill(i);
          await store.replace("o", [whole(0)], options);
          let writing = true;
          const writer = (async () => {
            for (let i = 1; i <= 20; i++) await store.replace("o", [whole(i)], options);
            writing = false;
          })();
          let seen = 0;
          while (writing) {
            const stored = await store.get("o");
            expect(stored.byteLength).toBe(50_000);
            const first = stored[0] as number;
            expect(first).toBeGreaterThanOrEqual(seen);
            expect(stored.every((byte) => byte === first)).toBe(true);
            seen = first;
            await new Promise(setImmediate);
          }
          await writer;
        });

        test("create creates once, then says that the name exists and leaves no temporary", async () => {
          expect(await store.create("d/o", [bytes("one")], options)).toBe("created");
          expect(await store.create("d/o", [bytes("two")], options)).toBe("exists");
          expect(text(await store.get("d/o"))).toBe("one");
          expect(await names(store, "d")).toEqual(["o"]);
        });

        test("a staged object has only a temporary name, which begins with .tmp and carries the target", async () => {
          const staged = await store.stage("d/17.manifest", [bytes("x")], options);
          expect(await store.head("d/17.manifest")).toBeUndefined();
          const [temporary, ...others] = await names(store, "d");
          expect(others).toEqual([]);
          expect(temporary).toMatch(/^\.tmp/);
          expect(temporary).not.toMatch(/\.manifest$/);
          expect(temporaryTarget(temporary as string)).toBe("17.manifest");
          expect(await staged.publish()).toBe("created");
          expect(await names(store, "d")).toEqual(["17.manifest"]);
          expect(text(await store.get("d/17.manifest"))).toBe("x");
        });

        test("publish says exists when somebody has the name, and never changes that object", async () => {
          const staged = await store.stage("d/o", [bytes("mine")], options);
          await store.write("d/o", [bytes("theirs")], options);
          expect(await staged.publish()).toBe("exists");
          await staged.discard();
          expect(text(await store.get("d/o"))).toBe("theirs");
          expect(await names(store, "d")).toEqual(["o"]);
        });

        test("a stalled writer whose temporary a vacuum removed is fenced and cannot give the name", async () => {
          const staged = await store.stage("d/o", [bytes("late")], options);
          for (const name of await names(store, "d")) await store.delete(`d/${name}`);
          expect(await staged.publish()).toBe("fenced");
          expect(await store.head("d/o")).toBeUndefined();
        });

        test("a stalled writer whose whole directory is gone is fenced too", async () => {
          const staged = await store.stage("t/v/o", [bytes("late")], options);
          await store.deleteTree("t");
          expect(await staged.publish()).toBe("fenced");
          expect(await names(store, "")).toEqual([]);
        });

        test("discard removes the temporary, may be repeated, and never touches the final name", async () => {
          const staged = await store.stage("d/o", [bytes("x")], options);
          await staged.discard();
          await staged.discard();
          expect(await names(store, "d")).toEqual([]);
          const published = await store.stage("d/p", [bytes("x")], options);
          await published.publish();
          await published.discard();
          expect(text(await store.get("d/p"))).toBe("x");
        });

        test("of many concurrent publishes of one name exactly one creates it, and its content stays", async () => {
          for (let round = 0; round < 5; round++) {
            const path = `race/${round}`;
            const staged = await Promise.all(
              Array.from({ length: 20 }, (_, i) => store.stage(path, [bytes(`writer ${i}`)], options)),
            );
            const outcomes = await Promise.all(staged.map((each) => each.publish()));
            expect(outcomes.filter((outcome) => outcome === "created")).toHaveLength(1);
            expect(outcomes.filter((outcome) => outcome === "exists")).toHaveLength(19);
            expect(text(await store.get(path))).toBe(`writer ${outcomes.indexOf("created")}`);
          }
          expect(await names(store, "race")).toEqual(["0", "1", "2", "3", "4"]);
        });

        test("many concurrent creates, writes and replaces in fresh directories all find their place", async () => {
          await Promise.all(
            Array.from({ length: 150 }, (_, i) => {
              const path = `many/${i % 7}/${i}`;
              if (i % 3 === 0) return store.create(path, [bytes(String(i))], options);
              return i % 3 === 1
                ? store.write(path, [bytes(String(i))], options)
                : store.replace(path, [bytes(String(i))], options);
            }),
          );
          const contents = await Promise.all(Array.from({ length: 150 }, (_, i) => store.get(`many/${i % 7}/${i}`)));
          expect(contents.map(text)).toEqual(Array.from({ length: 150 }, (_, i) => String(i)));
        });

        test("writing goes on after somebody removed the directories", async () => {
          await store.write("t/v/one", [bytes("1")], options);
          await store.deleteTree("t");
          await store.write("t/v/two", [bytes("2")], options);
          expect(await names(store, "t/v")).toEqual(["two"]);
        });
      });
    }

    test("sync accepts objects that others wrote, also none at all", async () => {
      await store.write("a/o", [bytes("x")], RELAXED);
      await store.write("b/o", [bytes("y")], RELAXED);
      await store.sync(["a/o", "b/o"]);
      await store.sync([]);
    });

    test("delete removes one object, and a missing one is fine", async () => {
      await store.write("d/o", [bytes("x")], RELAXED);
      await store.write("d/p", [bytes("x")], RELAXED);
      await store.delete("d/o");
      await store.delete("d/o");
      await store.delete("no/such");
      expect(await names(store, "d")).toEqual(["p"]);
      await expect(store.get("d/o")).rejects.toEqual(code("NOT_FOUND"));
    });

    test("deleteTree removes the directory and all below it, nothing beside it, and a missing one is fine", async () => {
      for (const path of ["t/a", "t/b/c", "t/b/d/e", "tt/a", "u"]) await store.write(path, [bytes("x")], RELAXED);
      await store.deleteTree("t");
      await store.deleteTree("t");
      await store.deleteTree("no/such");
      expect(await names(store, "")).toEqual(["tt", "u"]);
      expect(await store.head("t/b/c")).toBeUndefined();
      expect(await names(store, "tt")).toEqual(["a"]);
    });

    test("probe finds what the contract needs and leaves nothing behind", async () => {
      await store.probe();
      expect(await store.list("")).toEqual([]);
      await store.probe();
    });
  });
}

/** Options of connect() that make no sense: each is refused by its name, and none is passed over in silence. */
import { expect, test } from "vitest";
import { connect } from "../../src/index.js";
import { connected } from "./places.js";

const never = <T>(value: unknown) => value as T;
const STRANGE: readonly unknown[] = [
  0,
  -1,
  Number.NaN,
  "",
  "false",
  [],
  () => {},
  Symbol("s"),
  10n,
  Object.create(null),
];
const message = (name: string) => ({
  code: "INVALID_ARGUMENT",
  message: expect.stringContaining(name),
  details: { option: name },
});

test.each(["queue", "coordination", "maintenance", "storageOptions", "runtime"])(
  "%s has to be an object",
  async (name) => {
    for (const value of STRANGE.slice(0, -1)) {
      await expect(connect("memory://", { [name]: value })).rejects.toMatchObject(message(name));
    }
  },
);

test.each([
  ["queue", "enabled"],
  ["queue", "strictGroupCommit"],
  ["maintenance", "auto"],
])("%s.%s has to be true or false", async (group, name) => {
  for (const value of STRANGE) {
    await expect(connect("memory://", { [group]: { [name]: value } })).rejects.toMatchObject(
      message(`${group}.${name}`),
    );
  }
});

test.each([
  ["queue", "capacity"],
  ["queue", "maxBatch"],
  ["queue", "maxGroupRows"],
  ["queue", "maxGroupBytes"],
  ["queue", "maxGroupDelayMs"],
  ["queue", "defaultTimeoutMs"],
  ["coordination", "timeoutMs"],
  ["coordination", "leaseTtlMs"],
  ["maintenance", "minFragments"],
  ["maintenance", "maxDeletedShare"],
  ["maintenance", "intervalMs"],
  ["maintenance", "maxBytes"],
  ["maintenance", "retentionMs"],
])("%s.%s has to be a number", async (group, name) => {
  for (const value of STRANGE.slice(1)) {
    await expect(connect("memory://", { [group]: { [name]: value } })).rejects.toMatchObject(
      message(`${group}.${name}`),
    );
  }
});

test.each(["durability", "dataFormat"])("%s has to be one of a few words", async (name) => {
  for (const value of STRANGE) {
    await expect(connect("memory://", { [name]: value })).rejects.toMatchObject(message(name));
  }
});

test("a runtime that lacks a function is refused before it is needed", async () => {
  await expect(connect("memory://", { runtime: never({ now: () => 0 }) })).rejects.toMatchObject({
    code: "INVALID_ARGUMENT",
    message: expect.stringContaining("'monotonicMs'"),
  });
});

test("times of months and of ever are not over at once", async () => {
  for (const timeoutMs of [2 ** 32, Number.MAX_SAFE_INTEGER, Number.POSITIVE_INFINITY]) {
    const db = await connected("memory://", {
      queue: { defaultTimeoutMs: timeoutMs },
      coordination: { timeoutMs, leaseTtlMs: timeoutMs },
      maintenance: { intervalMs: timeoutMs, retentionMs: timeoutMs },
    });
    const table = await db.createTable("t", [{ id: 1 }]);
    const writes = Array.from({ length: 50 }, (_, id) => table.add([{ id }], { timeoutMs }));
    await Promise.all(writes);
    expect((await table.query().toArray({ timeoutMs })).length).toBe(51);
    await Promise.all([db.dropTable("t"), db.createTable("u", [{ id: 1 }])]);
  }
});

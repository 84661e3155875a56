import { expect, test } from "vitest";
import { checkReadable, checkWritable, DATA_FORMAT_KEY, requiredFlags } from "../../src/format/flags.js";
import { FragmentList } from "../../src/format/fragment-list.js";

const KNOWN = [1n, 2n, 4n, 8n, 16n, 32n, 256n, 1n << 62n];
const PATH = "_versions/1.manifest";
const none = { readerFlags: 0n, writerFlags: 0n, fragments: FragmentList.empty, config: new Map<string, string>() };
const deletionFile = { kind: "bitmap" as const, readVersion: 1, id: 1n, deletedRows: 1 };

test("each flag that is known may be read and written", () => {
  for (const flag of KNOWN) {
    checkReadable(flag, PATH);
    checkWritable(flag, PATH);
  }
});

test("every other bit stops what it is about, and the message names the bit", () => {
  for (let bit = 0n; bit < 64n; bit++) {
    const flag = 1n << bit;
    if (KNOWN.includes(flag)) continue;
    const refused = expect.objectContaining({
      code: "NOT_SUPPORTED",
      message: expect.stringContaining(`0x${flag.toString(16)}`),
      details: expect.objectContaining({ path: PATH }),
    });
    expect(() => checkWritable(1n | flag, PATH)).toThrow(refused);
    if (flag !== 128n) expect(() => checkReadable(1n | flag, PATH)).toThrow(refused);
  }
});

test("a table with a covering index can be read and not written", () => {
  checkReadable(128n, PATH);
  expect(() => checkWritable(128n, PATH)).toThrow(expect.objectContaining({ code: "NOT_SUPPORTED" }));
});

test("deletion files set bit 1 in both words, and the last one that goes clears it", () => {
  const deleted = FragmentList.from([{ id: 0, files: [], physicalRows: 3, deletionFile }]);
  const set = requiredFlags({ ...none, fragments: deleted });
  expect(set).toEqual({ readerFlags: 1n, writerFlags: 1n });
  expect(requiredFlags({ ...none, ...set })).toEqual({ readerFlags: 0n, writerFlags: 0n });
});

test("config sets bit 8 in the writers' word only", () => {
  expect(requiredFlags({ ...none, config: new Map([["a", "b"]]) })).toEqual({ readerFlags: 0n, writerFlags: 8n });
});

test("a table whose files are not Lance keeps native out of reading and writing", () => {
  const flag = 1n << 62n;
  const words = requiredFlags({ ...none, config: new Map([[DATA_FORMAT_KEY, "arrow"]]) });
  expect(words).toEqual({ readerFlags: flag, writerFlags: flag | 8n });
});

test("flags about how the table was made are carried over", () => {
  const made = 2n | 4n | 16n | 32n | 256n;
  expect(requiredFlags({ ...none, readerFlags: made | 1n, writerFlags: made | 8n })).toEqual({
    readerFlags: made,
    writerFlags: made,
  });
});

import { describe, expect, it } from "vitest";
import { BaseDirectories } from "../../src/format/bases.js";

/** The directory that a branch of the table at `root` finds under `path`. */
function found(path: string, root = "/data/db/t.lance"): string {
  const bases = new BaseDirectories(root);
  bases.learn([{ id: 0, isDatasetRoot: true, path }]);
  return bases.directoryOf(0, "_base/0/data/x.lance");
}

describe("directories of inherited files", () => {
  it("are found below the table, also when the database was moved since", () => {
    expect(found("/data/db/t.lance")).toBe("");
    expect(found("/data/db/t.lance/tree/a/b")).toBe("tree/a/b");
    expect(found("/elsewhere/t.lance")).toBe("");
    expect(found("/elsewhere/t.lance/tree/a")).toBe("tree/a");
  });

  it("are those of a branch that is named like the table's directory, not the main line's", () => {
    expect(found("/data/db/t.lance/tree/t.lance")).toBe("tree/t.lance");
    expect(found("/elsewhere/t.lance/tree/t.lance")).toBe("tree/t.lance");
    expect(found("/elsewhere/t.lance/tree/a/t.lance")).toBe("tree/a/t.lance");
    expect(found("/elsewhere/t.lance/tree/t.lance/tree")).toBe("tree/t.lance/tree");
  });

  it("are found where the database lies below a directory that is named like the table's", () => {
    expect(found("/t.lance/db/t.lance/tree/a", "/t.lance/db/t.lance")).toBe("tree/a");
    expect(found("/old/t.lance/db/t.lance/tree/a")).toBe("tree/a");
    expect(found("/t.lance/tree/t.lance", "/t.lance/tree/t.lance")).toBe("");
  });

  it("are refused when they are another table's, or lead out of the directory of the branches", () => {
    for (const path of ["/data/db/u.lance", "/data/db/t.lance/data", "/data/db/t.lance/tree/../../u", "t.lancer", ""]) {
      expect(() => found(path)).toThrowError(/another table's directory/);
    }
  });
});

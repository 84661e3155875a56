import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { renderConflicts } from "../../docs/generate/render-conflicts.mjs";
import { VERDICTS } from "../../src/commit/conflicts.js";
import { judgements } from "../../src/commit/judgements.js";

test("the page of conflicts is the table that the resolver executes", () => {
  const page = readFileSync(new URL("../../docs/conflicts.md", import.meta.url), "utf8");
  expect(page).toBe(renderConflicts(VERDICTS, judgements));
});

test("every cell of the table is a verdict or a judgement that exists", () => {
  const known = new Set(["compatible", "rebase", "retry", "fail", ...Object.keys(judgements)]);
  for (const row of Object.values(VERDICTS)) for (const cell of Object.values(row)) expect(known).toContain(cell);
});

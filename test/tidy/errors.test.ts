/** Every error code has a line in the documentation that says what to do, and every code there exists. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { ERROR_CODES, TableError } from "../../src/support/errors.js";
import { ROOT } from "./sources.js";

const documented = () => {
  const page = readFileSync(`${ROOT}docs/errors.md`, "utf8");
  return [...page.matchAll(/^\| `([A-Z_]+)` \| ([a-z-]+) \|/gm)].map(([, code, retry]) => `${code} ${retry}`);
};

test("docs/errors.md explains exactly the error codes that exist, each once, with the right advice on retrying", () => {
  expect(documented()).toEqual(ERROR_CODES.map((code) => `${code} ${new TableError(code, "").retry}`));
});

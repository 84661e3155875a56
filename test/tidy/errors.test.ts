/** Every error code has a line in the documentation that says what to do, and every code there exists. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { ERROR_CODES } from "../../src/support/errors.js";
import { ROOT } from "./sources.js";

const documented = () => {
  const page = readFileSync(`${ROOT}docs/errors.md`, "utf8");
  return [...page.matchAll(/^\|\s*`([A-Z_]+)`\s*\|/gm)].map((match) => match[1]);
};

test("docs/errors.md explains exactly the error codes that exist, each once", () => {
  expect(documented().toSorted()).toEqual([...ERROR_CODES].toSorted());
});

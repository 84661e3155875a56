/** docs/doctor.md explains every finding that exists, with the severity that it has. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { FINDING_IDS, finding } from "../../src/chores/findings.js";
import { ROOT } from "../tidy/sources.js";

test("docs/doctor.md lists exactly the findings that exist, each once, with its severity", () => {
  const page = readFileSync(`${ROOT}docs/doctor.md`, "utf8");
  const documented = [...page.matchAll(/^\| `(J\d{3}-[a-z-]+)` \| (error|warning|info) \|/gm)].map(
    ([, id, severity]) => `${id} ${severity}`,
  );
  expect(documented).toEqual(FINDING_IDS.map((id) => `${id} ${finding("t", id, "").severity}`));
});

/** Writes docs/conflicts.md from the built package. Run: npm run docs:conflicts */
import { writeFileSync } from "node:fs";
import { VERDICTS } from "../../dist/commit/conflicts.js";
import { judgements } from "../../dist/commit/judgements.js";
import { renderConflicts } from "./render-conflicts.mjs";

writeFileSync(new URL("../conflicts.md", import.meta.url), renderConflicts(VERDICTS, judgements));

// Removes the named folders of the project, so that a build never keeps files whose source is gone.
import { rmSync } from "node:fs";

for (const folder of process.argv.slice(2)) rmSync(folder, { recursive: true, force: true });

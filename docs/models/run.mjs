// Runs the model: each part of the protocol exhaustively, then each planted bug until an assertion finds it. Needs spin
// and gcc (apt-get install spin gcc). Run with: npm run test:model. With -- --full also the part with a third writer
// beside the compaction, which takes 13 GB and more than a quarter of an hour.
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const MODEL = new URL("./commit-vacuum.pml", import.meta.url);
/** Which processes run beside the vacuum and a writer. */
const SMALL = [
  { name: "1 writer, a tagger, a reader", flags: ["-DTAGS", "-DREADER"] },
  { name: "1 writer, a restore, a reader", flags: ["-DRESTORE", "-DREADER"] },
  { name: "1 writer, a compaction, a reader", flags: ["-DCOMPACTION", "-DREADER"] },
  { name: "2 writers, a reader", flags: ["-DWRITER", "-DREADER"] },
  { name: "2 writers, a compaction", flags: ["-DWRITER", "-DCOMPACTION"] },
];
const LARGE = [{ name: "2 writers, a compaction, a reader", flags: ["-DWRITER", "-DCOMPACTION", "-DREADER"] }];
const FULL = [
  {
    name: "3 writers, a compaction, a reader, leases seen in one look",
    flags: ["-DWRITER", "-DTHIRD", "-DCOMPACTION", "-DREADER", "-DONE_LOOK"],
  },
];
/** What docs/vacuum.md says does no harm. */
const HARMLESS = [{ name: "2 writers, a reader, leases taken last", flags: ["-DWRITER", "-DREADER", "-DLEASES_LAST"] }];
const BUGS = [...readFileSync(MODEL, "utf8").matchAll(/^ {3}-D(BUG_[A-Z_]+)/gm)].map((match) => match[1]);

/** Nobody is taken for dead, or one of the writers is. */
const inBothWorlds = (parts) =>
  parts.flatMap(({ name, flags }) => [
    { name, flags },
    { name: `${name}, a writer taken for dead`, flags: [...flags, "-DSUSPECT"] },
  ]);

function check(flags) {
  const dir = mkdtempSync(join(tmpdir(), "joust-model-"));
  try {
    const run = (command, ...args) => execFileSync(command, args, { cwd: dir, encoding: "utf8", maxBuffer: 1 << 26 });
    copyFileSync(MODEL, join(dir, "model.pml"));
    run("spin", ...flags, "-a", "model.pml");
    run("gcc", "-O3", "-DSAFETY", "-DCOLLAPSE", "-DVECTORSZ=4096", "-w", "-o", "pan", "pan.c");
    const out = run("./pan", "-m100000", "-c1");
    return {
      errors: Number(/errors: ([0-9]+)/.exec(out)?.[1]),
      asserted: out.includes("assertion violated"),
      states: Number(/([0-9.e+]+) states, stored/.exec(out)?.[1]),
      complete: !out.includes("Search not completed") && !out.includes("max search depth too small"),
    };
  } finally {
    rmSync(dir, { recursive: true });
  }
}

let failed = false;
const say = (good, text) => {
  failed ||= !good;
  console.log(`${good ? "ok  " : "FAIL"} ${text}`);
};

const full = process.argv.includes("--full") ? FULL : [];
for (const { name, flags } of inBothWorlds([...SMALL, ...HARMLESS, ...LARGE, ...full])) {
  const { errors, states, complete } = check(flags);
  say(errors === 0 && complete, `${name}: ${states} states, ${errors} errors`);
}
for (const bug of BUGS) {
  let found;
  for (const { name, flags } of inBothWorlds(SMALL)) {
    const { asserted, states } = check([`-D${bug}`, ...flags]);
    if (asserted) found = `${name}, after ${states} states`;
    if (asserted) break;
  }
  say(found !== undefined, `${bug}: found with ${found ?? "nobody"}`);
}
process.exitCode = failed ? 1 : 0;

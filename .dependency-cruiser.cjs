/**
 * The import rules of src/, from the order of the folder names: a file imports from its own folder
 * or from a folder that sorts after it. Two walls stand on top of that: the control plane never
 * looks at rows, and the data plane knows nothing of commits. docs/architecture.md says why.
 */
const FOLDERS = ["api", "change", "chores", "commit", "compute", "data", "format", "store", "support"];

const downwards = FOLDERS.slice(1).map((folder, index) => ({
  name: `${folder}-imports-downwards`,
  comment: `src/${folder} may import only from itself and from folders that sort after it.`,
  severity: "error",
  from: { path: `^src/${folder}/` },
  to: { path: `^src/(${FOLDERS.slice(0, index + 1).join("|")}|index)[/.]` },
}));

const wall = (from, to, comment) => ({
  name: `${from}-never-imports-${to}`.replaceAll("/", "-"),
  comment,
  severity: "error",
  from: { path: `^src/${from}/` },
  to: { path: `^src/${to}/` },
});

/** Inside src/data/ the order is that of layers: formats, then what all of them are made of. */
const DATA_FOLDERS = ["parquet", "lance", "arrow", "columns", "kernels"];

const insideData = DATA_FOLDERS.slice(1).map((folder, index) => ({
  name: `data-${folder}-imports-downwards`,
  comment: `src/data/${folder}/ may import only from itself, the files beside it and ${DATA_FOLDERS.slice(index + 2).join(", ") || "no other folder"}.`,
  severity: "error",
  from: { path: `^src/data/${folder}/` },
  to: { path: `^src/data/(${DATA_FOLDERS.slice(0, index + 1).join("|")})/` },
}));

module.exports = {
  forbidden: [
    ...downwards,
    ...insideData,
    wall("data/parquet", "data/lance", "Parquet files borrow Arrow's schema message, nothing of Lance's."),
    wall("data/lance", "data/arrow", "A Lance file is read without Arrow's file format."),
    wall("commit", "compute", "The control plane never looks at rows."),
    wall("commit", "data", "The control plane never looks at rows."),
    {
      name: "no-cycles",
      comment: "Two files that need each other are one file, or a third is missing.",
      severity: "error",
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ["type-only"] } },
    },
    {
      name: "known-folders-only",
      comment: "A new folder needs a place in the order first.",
      severity: "error",
      from: { path: "^src/(?!index\\.ts$)", pathNot: `^src/(${FOLDERS.join("|")})/` },
      to: {},
    },
    {
      name: "nobody-imports-the-barrel",
      comment: "src/index.ts is for users of the package.",
      severity: "error",
      from: { path: "^src/" },
      to: { path: "^src/index\\.ts$" },
    },
    {
      name: "file-system-in-store-only",
      comment: "Everything outside the process goes through store/, so that a simulation can stand in for it.",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/(store/|support/runtime\\.ts$)" },
      to: { path: "^(node:)?(fs|fs/promises|timers|timers/promises|http|https|net|child_process)$" },
    },
    {
      name: "nothing-unresolvable",
      severity: "error",
      from: { path: "^src/" },
      to: { couldNotResolve: true },
    },
    {
      name: "no-dev-dependencies",
      comment: "What src/ imports at run time has to be a dependency or a peer.",
      severity: "error",
      from: { path: "^src/" },
      to: { dependencyTypes: ["npm-dev", "npm-no-pkg"], dependencyTypesNot: ["npm-peer", "type-only"] },
    },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    enhancedResolveOptions: { exportsFields: ["exports"], conditionNames: ["import", "types", "node", "default"] },
  },
};

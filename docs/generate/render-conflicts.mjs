/** The verdict table of commits as a page: what `docs/conflicts.md` has to be, letter for letter. */

/**
 * @param {Record<string, Record<string, string>>} verdicts mine → theirs → cell
 * @param {Record<string, { rule: string, verdicts: readonly string[] }>} judgements
 * @returns {string} Markdown
 */
export function renderConflicts(verdicts, judgements) {
  const kinds = Object.keys(verdicts);
  const cells = (mine) => kinds.map((theirs) => verdicts[mine][theirs]);
  const lines = [
    "# Conflicts",
    "",
    "What happens to my operation (row) when somebody else's operation (column) was committed after the version that I",
    "read. This page is made from the table that the resolver executes (`src/commit/conflicts.ts`); run",
    "`npm run docs:conflicts` after a change.",
    "",
    "- **compatible**: commit as it is on the newer version.",
    "- **rebase**: express the same change on the newer version (merge deletion vectors, carry deletions over).",
    "- **retry**: the whole operation runs again on the newer version, by itself.",
    "- **fail**: `CONFLICT`; only the caller can decide.",
    "",
    "A name in a cell is a judgement that looks at fragments, rows, keys or columns; its rule is below.",
    "",
    `| mine \\ theirs | ${kinds.join(" | ")} |`,
    `|---|${kinds.map(() => "---").join("|")}|`,
    ...kinds.map((mine) => `| **${mine}** | ${cells(mine).join(" | ")} |`),
    "",
    "## Judgements",
    "",
    "| name | can answer | rule |",
    "|---|---|---|",
    ...Object.entries(judgements).map(([name, { rule, verdicts }]) => `| ${name} | ${verdicts.join(", ")} | ${rule} |`),
    "",
  ];
  return lines.join("\n");
}

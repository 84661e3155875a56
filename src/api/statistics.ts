/** Sizes of a version, in the shape of LanceDB's `stats()`. */
import { decodeIndexSection } from "../format/index-section.js";
import type { Manifest } from "../format/manifest.js";
import type { TableStatistics } from "./results.js";

/** Fragments below this many rows count as small, as in LanceDB. */
const SMALL_FRAGMENT_ROWS = 100_000;

/** Everything from the manifest; no file is read. */
export function tableStatistics(manifest: Manifest): TableStatistics {
  const lengths: number[] = [];
  let totalBytes = 0;
  for (const fragment of manifest.fragments) {
    lengths.push(fragment.physicalRows - (fragment.deletionFile?.deletedRows ?? 0));
    for (const file of fragment.files) totalBytes += file.sizeBytes;
  }
  lengths.sort((a, b) => a - b);
  const sum = lengths.reduce((total, rows) => total + rows, 0);
  const at = (share: number) => lengths[Math.min(lengths.length - 1, Math.floor(share * lengths.length))] ?? 0;
  return {
    totalBytes,
    numRows: manifest.fragments.rowCount(),
    numIndices:
      manifest.indexSection === undefined
        ? 0
        : decodeIndexSection(manifest.indexSection, `version ${manifest.version}`).entries.length,
    fragmentStats: {
      numFragments: lengths.length,
      numSmallFragments: lengths.filter((rows) => rows < SMALL_FRAGMENT_ROWS).length,
      lengths: {
        min: lengths[0] ?? 0,
        max: lengths.at(-1) ?? 0,
        mean: lengths.length === 0 ? 0 : Math.floor(sum / lengths.length),
        p25: at(0.25),
        p50: at(0.5),
        p75: at(0.75),
        p99: at(0.99),
      },
    },
  };
}

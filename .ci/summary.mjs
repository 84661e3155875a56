// Reads vitest's JSON report and prints "N passed, N failed". A file that did not load counts as one failure.
// Exits 1 when anything failed, when nothing ran, and when there is no report.
import { readFileSync } from "node:fs";

const path = process.argv[2];

function count(report) {
  const files = report.testResults ?? [];
  const broken = files.filter(
    (file) => file.status === "failed" && !file.assertionResults.some((test) => test.status === "failed"),
  );
  return { passed: report.numPassedTests, failed: report.numFailedTests + broken.length, success: report.success };
}

let result = { passed: 0, failed: 0, success: false };
try {
  result = count(JSON.parse(readFileSync(path, "utf8")));
} catch (error) {
  console.log(`no test report: ${error.message}`);
}
console.log(`${result.passed} passed, ${result.failed} failed`);
process.exitCode = result.success && result.failed === 0 && result.passed > 0 ? 0 : 1;

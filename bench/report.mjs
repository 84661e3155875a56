// The printed report: the machine, what durability each side gives, one line per workload.
import { closeSync, fsyncSync, openSync, writeSync } from "node:fs";
import os from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { DURABILITY } from "./engines.mjs";
import { median } from "./measure.mjs";

const SYNCS = 30;

/** What the figures depend on: processor, Node, and what one fsync of 4 KiB costs on this disk. */
export function machine(dir, run) {
  const buffer = new Uint8Array(4096);
  const samples = [];
  const file = openSync(join(dir, "sync-probe"), "w");
  for (let i = 0; i < SYNCS; i++) {
    const start = performance.now();
    writeSync(file, buffer);
    fsyncSync(file);
    samples.push(performance.now() - start);
  }
  closeSync(file);
  return {
    cpu: os.cpus()[0]?.model ?? "unknown",
    cores: os.availableParallelism(),
    node: process.version,
    platform: `${os.platform()} ${os.release()} ${os.arch()}`,
    fsyncMs: Number(median(samples).toFixed(3)),
    load: Number(os.loadavg()[0].toFixed(2)),
    ...run,
  };
}

/** The report for people; `markdown` prints the figures as the table that docs/performance.md holds. */
export function printTable(about, engines, results, { markdown = false } = {}) {
  const both = engines.length === 2;
  const titles = ["workload"];
  for (const engine of engines) titles.push(`${engine} p50 ms`, "p99 ms", "per s");
  if (both) titles.push("p50 ×", "p99 ×", "per s ×");
  const lines = results.map((result) => [
    result.name,
    ...engines.flatMap((engine) => figures(result[engine])),
    ...(both ? ratios(result[engines[0]], result[engines[1]]) : []),
  ]);
  console.log(`${about.cpu}, ${about.cores} cores, node ${about.node}, ${about.platform}`);
  console.log(
    `one fsync of 4 KiB takes ${about.fsyncMs} ms here; load ${about.load}; median of ${about.rounds} rounds`,
  );
  if (about.small) console.log("small sizes: these figures show that the benchmarks run, nothing else");
  for (const engine of engines) console.log(`${engine} durability is ${DURABILITY[engine]}`);
  if (both) console.log(`ratios are ${engines[0]} / ${engines[1]}: times below 1 and rates above 1 are better`);
  console.log(`\n${markdown ? pipes([titles, ...lines]) : align([titles, ...lines])}\n`);
  for (const result of results) for (const engine of engines) printNotes(result.name, engine, result[engine]);
}

function printNotes(name, engine, { errors, firstError, failure, facts }) {
  if (failure) console.log(`${name} ${engine} FAILED in ${failure.split("\n")[0]}`);
  if (errors > 0) console.log(`${name} ${engine}: ${errors} operations failed, the first with: ${firstError}`);
  const known = Object.entries(facts);
  if (known.length > 0)
    console.log(`${name} ${engine}: ${known.map(([key, value]) => `${key} ${print(value)}`).join(", ")}`);
}

const print = (value) => (typeof value === "number" ? String(Math.round(value * 1000) / 1000) : JSON.stringify(value));

function figures({ failure, p50Ms, p99Ms, perSecond }) {
  if (failure) return ["failed", "", ""];
  return [number(p50Ms), number(p99Ms), number(perSecond)];
}

function ratios(ours, theirs) {
  if (ours.failure || theirs.failure) return ["", "", ""];
  return ["p50Ms", "p99Ms", "perSecond"].map((key) => number(ours[key] / theirs[key]));
}

function number(value) {
  if (value === undefined || !Number.isFinite(value)) return "-";
  if (value >= 1000) return Math.round(value).toLocaleString("en-US");
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

function pipes([titles, ...lines]) {
  const rule = titles.map((_, column) => (column === 0 ? "---" : "---:"));
  return [titles, rule, ...lines].map((line) => `| ${line.join(" | ")} |`).join("\n");
}

function align(lines) {
  const widths = lines[0].map((_, column) => Math.max(...lines.map((line) => line[column].length)));
  const pad = (cell, column) => (column === 0 ? cell.padEnd(widths[column]) : cell.padStart(widths[column]));
  return lines.map((line) => line.map(pad).join("  ").trimEnd()).join("\n");
}

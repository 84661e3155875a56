// The proof: what a serial program, run over the source, would have left in the table, compared row by row.
import { batches, changeOf } from "./plan.mjs";

/** The question that is asked of versions: how many rows, and the sums of what they hold. */
export async function answer(table) {
  const rows = await table.query().select(["delay", "distance", "penalty"]).toArrow();
  const sum = (name) =>
    rows
      .getChild(name)
      .toArray()
      .reduce((total, value) => total + value, 0);
  return { rows: rows.numRows, delay: sum("delay"), distance: sum("distance"), penalty: sum("penalty") };
}

/**
 * The state after every append and change that was acknowledged with a version up to `version`, applied one after
 * the other, in plain arrays indexed by row id. `appended` and `changed` are lists of {batch, version}.
 */
export function replay(flights, { rows, writers, appended, changed, version = Number.POSITIVE_INFINITY }) {
  const state = {
    alive: new Uint8Array(rows),
    batch: new Int32Array(rows),
    penalty: new Int32Array(rows),
    revision: new Int32Array(rows),
  };
  const ranges = new Map();
  for (let writer = 0; writer < writers; writer++) {
    for (const range of batches(rows, writers, writer)) ranges.set(range.batch, range);
  }
  for (const { batch, version: at } of appended) {
    if (at > version) continue;
    const { from, to } = ranges.get(batch);
    state.alive.fill(1, from, to);
    state.batch.fill(batch, from, to);
  }
  for (const { batch, version: at } of changed) {
    if (at <= version) applyChange(flights, state, ranges.get(batch), changeOf(batch));
  }
  return state;
}

function applyChange({ delay, distance }, state, { from, to }, change) {
  for (let id = from; id < to; id++) {
    if (state.alive[id] === 0 || !change.matches(delay[id], distance[id])) continue;
    if (change.kind === "delete") {
      state.alive[id] = 0;
      continue;
    }
    const row = { delay: delay[id], penalty: state.penalty[id], revision: state.revision[id] };
    const { penalty, revision } = change.apply(row);
    state.penalty[id] = penalty;
    state.revision[id] = revision;
  }
}

/** The totals that the replay predicts. */
export function expectedTotals(flights, state) {
  const totals = { rows: 0, delay: 0, distance: 0, penalty: 0, revision: 0 };
  for (let id = 0; id < state.alive.length; id++) {
    if (state.alive[id] === 0) continue;
    totals.rows++;
    totals.delay += flights.delay[id];
    totals.distance += flights.distance[id];
    totals.penalty += state.penalty[id];
    totals.revision += state.revision[id];
  }
  return totals;
}

/** Reads the whole table and holds every row against the replay: the totals found, and what is wrong. */
export async function readTotals(table, flights, state) {
  const found = await table.query().toArrow();
  const column = (name) => found.getChild(name).toArray();
  const [ids, batch, delay, distance] = ["id", "batch", "delay", "distance"].map(column);
  const [time, penalty, revision] = ["time", "penalty", "revision"].map(column);
  const seen = new Uint8Array(state.alive.length);
  const totals = { rows: found.numRows, delay: 0, distance: 0, penalty: 0, revision: 0 };
  const wrong = { missing: 0, twice: 0, unexpected: 0, different: 0 };
  for (let i = 0; i < ids.length; i++) {
    const id = ids[i];
    totals.delay += delay[i];
    totals.distance += distance[i];
    totals.penalty += penalty[i];
    totals.revision += revision[i];
    if (state.alive[id] !== 1) wrong.unexpected++;
    else if (seen[id] === 1) wrong.twice++;
    else if (
      batch[i] !== state.batch[id] ||
      delay[i] !== flights.delay[id] ||
      distance[i] !== flights.distance[id] ||
      time[i] !== flights.time[id] ||
      penalty[i] !== state.penalty[id] ||
      revision[i] !== state.revision[id]
    )
      wrong.different++;
    seen[id] = 1;
  }
  for (let id = 0; id < seen.length; id++) if (state.alive[id] === 1 && seen[id] === 0) wrong.missing++;
  return { totals, wrong };
}

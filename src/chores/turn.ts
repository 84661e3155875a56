/**
 * One vacuum at a time on a table, across processes: whoever has the highest-numbered turn has it.
 *
 * A turn is taken by creating the next number, which only one can do; a lower number that somebody creates late counts
 * for nothing. The last turn stays when it is over, marked as free, so that numbers never begin anew.
 */
import { COORDINATION } from "../commit/boundary.js";
import type { SharedTable } from "../commit/shared-table.js";
import type { ObjectStore } from "../store/contract.js";
import { isTableError, TableError } from "../support/errors.js";
import { readHolders } from "./holders.js";

const NAME = /^vacuum-([0-9]{1,15})\.json$/;
const POLL_MS = 20;

/** Waits for the turn; the answer gives it back. @throws BUSY after `timeoutMs`, UNAVAILABLE */
export async function takeTurn(table: SharedTable, timeoutMs: number): Promise<() => Promise<void>> {
  const { store, runtime, lease } = table;
  if (!lease.published) return async () => {};
  const startedMs = runtime.monotonicMs();
  for (let watched = false; ; ) {
    const last = (await listTurns(store))[0] ?? 0;
    const owner = last === 0 ? "" : await ownerOf(store, last);
    if (owner === "" || (watched && !(await isLive(table, owner)))) {
      const mine = last + 1;
      if ((await write(store, mine, lease.holder)) && (await listTurns(store))[0] === mine) {
        await removeBelow(store, mine);
        return async () => {
          await store
            .replace(turnPath(mine), [encode("")], { durable: false })
            .catch(() => store.delete(turnPath(mine)));
        };
      }
      continue;
    }
    if (runtime.monotonicMs() - startedMs > timeoutMs) {
      throw new TableError(
        "BUSY",
        `Another process (${owner}) is cleaning up table '${table.name}' and did not end within ${timeoutMs} ms. Nothing was removed; try again.`,
        { details: { owner, timeoutMs } },
      );
    }
    watched = true;
    await runtime.sleep(POLL_MS);
  }
}

async function isLive(table: SharedTable, owner: string): Promise<boolean> {
  const holders = await readHolders(table, true);
  return holders.some((one) => one.holder === owner && one.state === "live");
}

/** Numbers of all turns, the highest first. */
async function listTurns(store: ObjectStore): Promise<readonly number[]> {
  const names = await store.list(COORDINATION);
  return names
    .flatMap((entry) => NAME.exec(entry.name)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => b - a);
}

/** The holder whose turn it is; empty when it is free. */
async function ownerOf(store: ObjectStore, turn: number): Promise<string> {
  try {
    const { owner } = JSON.parse(new TextDecoder().decode(await store.get(turnPath(turn)))) as { owner?: unknown };
    return typeof owner === "string" ? owner : "";
  } catch (error) {
    // Torn by a power cut, which its owner did not survive either, or taken over meanwhile.
    if (error instanceof SyntaxError || isTableError(error, "NOT_FOUND")) return "";
    throw error;
  }
}

async function write(store: ObjectStore, turn: number, owner: string): Promise<boolean> {
  return (await store.create(turnPath(turn), [encode(owner)], { durable: false })) === "created";
}

async function removeBelow(store: ObjectStore, turn: number): Promise<void> {
  for (const one of await listTurns(store)) if (one < turn) await store.delete(turnPath(one));
}

function turnPath(turn: number): string {
  return `${COORDINATION}/vacuum-${turn}.json`;
}

function encode(owner: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(JSON.stringify({ owner }));
}

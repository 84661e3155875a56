/**
 * One vacuum, and one making or removing of branches, at a time on a table, across processes: whoever has the
 * highest-numbered turn has it.
 *
 * A turn is taken by creating the next number, which only one can do; a lower number that somebody creates late counts
 * for nothing. The last turn stays when it is over, marked as free, so that numbers never begin anew.
 */
import { COORDINATION } from "../commit/boundary.js";
import type { SharedTable } from "../commit/shared-table.js";
import type { ObjectStore } from "../store/contract.js";
import { isTableError, TableError } from "../support/errors.js";
import { readHolders } from "./holders.js";

const NAME = /^(vacuum|branch)-([0-9]{1,15})\.json$/;
const POLL_MS = 20;

export type Chore = "vacuum" | "branch";

const DOING: Readonly<Record<Chore, string>> = {
  vacuum: "cleaning up table",
  branch: "making or removing a branch of table",
};

export interface Turn {
  /** False when somebody took the turn over, because this process was taken for dead. */
  isMine(): Promise<boolean>;
  giveBack(): Promise<void>;
}

/** Waits for the turn. @throws BUSY after `timeoutMs`, UNAVAILABLE */
export async function takeTurn(table: SharedTable, chore: Chore, timeoutMs: number): Promise<Turn> {
  const { store, runtime, lease } = table;
  if (!lease.published) return { isMine: async () => true, giveBack: async () => {} };
  const startedMs = runtime.monotonicMs();
  for (let watched = false; ; ) {
    const last = (await listTurns(store, chore))[0] ?? 0;
    const owner = last === 0 ? "" : await ownerOf(store, chore, last);
    if (owner === "" || (watched && !(await isLive(table, owner)))) {
      const mine = last + 1;
      if ((await write(store, turnPath(chore, mine), lease.holder)) && (await listTurns(store, chore))[0] === mine) {
        await removeBelow(store, chore, mine);
        const path = turnPath(chore, mine);
        return {
          isMine: async () => (await listTurns(store, chore))[0] === mine,
          async giveBack() {
            await store.replace(path, [encode("")], { durable: false }).catch(() => store.delete(path));
          },
        };
      }
      continue;
    }
    if (runtime.monotonicMs() - startedMs > timeoutMs) {
      throw new TableError(
        "BUSY",
        `Another process (${owner}) is ${DOING[chore]} '${table.name}' and did not end within ${timeoutMs} ms. Nothing was changed; try again.`,
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
async function listTurns(store: ObjectStore, chore: Chore): Promise<readonly number[]> {
  const names = await store.list(COORDINATION);
  return names
    .flatMap((entry) => {
      const match = NAME.exec(entry.name);
      return match?.[1] === chore ? Number(match[2]) : [];
    })
    .sort((a, b) => b - a);
}

/** The holder whose turn it is; empty when it is free. */
async function ownerOf(store: ObjectStore, chore: Chore, turn: number): Promise<string> {
  try {
    const { owner } = JSON.parse(new TextDecoder().decode(await store.get(turnPath(chore, turn)))) as {
      owner?: unknown;
    };
    return typeof owner === "string" ? owner : "";
  } catch (error) {
    // Torn by a power cut, which its owner did not survive either, or taken over meanwhile.
    if (error instanceof SyntaxError || isTableError(error, "NOT_FOUND")) return "";
    throw error;
  }
}

async function write(store: ObjectStore, path: string, owner: string): Promise<boolean> {
  return (await store.create(path, [encode(owner)], { durable: false })) === "created";
}

async function removeBelow(store: ObjectStore, chore: Chore, turn: number): Promise<void> {
  for (const one of await listTurns(store, chore)) if (one < turn) await store.delete(turnPath(chore, one));
}

function turnPath(chore: Chore, turn: number): string {
  return `${COORDINATION}/${chore}-${turn}.json`;
}

function encode(owner: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(JSON.stringify({ owner }));
}

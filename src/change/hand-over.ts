/**
 * Writes that go to the process that leads, and those that come from processes that follow.
 *
 * What can be said in plain values is handed over: rows, predicates, assignments. Everything else (Arrow data, streams,
 * what commits alone) is committed by its own process, when its turn has come.
 */
import type { Follower } from "../commit/follower.js";
import type { Request } from "../commit/handed.js";
import type { GroupOutcome } from "../commit/queue.js";
import { isTableError, TableError } from "../support/errors.js";
import { type CommitMessage, commitChannel } from "../support/telemetry.js";
import { executeGroup, type WriterContext } from "./group.js";
import { fromPlain, type PlainWrite, toPlain } from "./plain-write.js";
import type { TableWrite, WriteResult } from "./write.js";

/** What one process sends to another. */
interface HandOver {
  readonly durability: string;
  readonly requests: readonly Request[];
  readonly writes: readonly PlainWrite[];
}

/** What became of one write; `refused`: it was not executed and will not be. */
type Answer =
  | { readonly kind: "done"; readonly value: WriteResult }
  | { readonly kind: "failed"; readonly code: string; readonly message: string; readonly details: unknown }
  | { readonly kind: "refused" };

/** Runs a group of writes, on this process or on the one that leads, and answers each. */
export function runGroup(writes: readonly TableWrite[], context: WriterContext): Promise<GroupOutcome<WriteResult>> {
  if (!commitChannel.hasSubscribers) return run(writes, context, undefined);
  const message: CommitMessage = { table: context.table.name, writes: writes.length };
  return commitChannel.tracePromise(() => run(writes, context, message), message);
}

async function run(
  writes: readonly TableWrite[],
  context: WriterContext,
  message: CommitMessage | undefined,
): Promise<GroupOutcome<WriteResult>> {
  // A write that was handed over once keeps its number: nobody but the one who was asked looks for it.
  const isOwn = writes.every(({ kind, request }) => kind !== "turn" && request === undefined);
  const leader = isOwn ? await context.table.contention.leader() : undefined;
  const plain = leader === undefined ? undefined : toPlain(writes);
  if (leader === undefined || plain === undefined) return executeGroup(writes, context, message);
  return handOver(writes, plain, leader, context, message);
}

async function handOver(
  writes: readonly TableWrite[],
  plain: readonly PlainWrite[],
  leader: Follower,
  context: WriterContext,
  message: CommitMessage | undefined,
): Promise<GroupOutcome<WriteResult>> {
  const { table, durability } = context;
  const startedMs = table.runtime.monotonicMs();
  const requests = plain.map(() => table.handed.next(leader.after));
  const handed: HandOver = { durability, requests, writes: plain };
  const answers = (await leader.commit(handed)) as readonly Answer[] | undefined;
  if (answers === undefined) return takeBack(writes, requests, context, message);
  const refused: TableWrite[] = [];
  const outcomes = answers.map((answer, index) => {
    if (answer.kind === "refused") refused.push(writes[index] as TableWrite);
    return outcomeOf(answer);
  });
  const version = Math.max(0, ...outcomes.map((one) => (one !== undefined && "value" in one ? one.value.version : 0)));
  if (version > 0) {
    table.answered(version);
    leader.answered(version);
    table.meters.commits.record(table.runtime.monotonicMs() - startedMs);
    if (message !== undefined) Object.assign(message, { version, attempts: 1 });
  }
  if (refused.length === 0) return outcomes as GroupOutcome<WriteResult>;
  const own = await executeGroup(refused, context, message);
  let next = 0;
  return outcomes.map((outcome) => outcome ?? (own[next++] as GroupOutcome<WriteResult>[number]));
}

/** The leader went silent: it may have committed the writes, or may still do so. */
async function takeBack(
  writes: readonly TableWrite[],
  requests: readonly Request[],
  context: WriterContext,
  message: CommitMessage | undefined,
): Promise<GroupOutcome<WriteResult>> {
  const asked = writes.map((write, index) => ({ ...write, request: requests[index] as Request }));
  try {
    return await executeGroup(asked, context, message);
  } catch (error) {
    if (isTableError(error, "UNKNOWN_OUTCOME")) throw error;
    throw new TableError(
      "UNKNOWN_OUTCOME",
      `It is not known whether a write to table '${context.table.name}' was committed: the process that had been asked to commit it went silent, and committing it here failed. ${error instanceof Error ? error.message : String(error)}`,
      { cause: error },
    );
  }
}

function outcomeOf(answer: Answer): GroupOutcome<WriteResult>[number] | undefined {
  if (answer.kind === "refused") return undefined;
  if (answer.kind === "done") return { value: answer.value };
  const details = answer.details as Record<string, unknown>;
  return { error: new TableError(answer.code as TableError["code"], answer.message, { details }) };
}

/**
 * Executes what another process has handed over.
 * @param submit puts a write into the queue of this process
 * @param durability how safe the commits of this process are: writes that ask for something else are refused
 */
export async function serveHandOver(
  message: unknown,
  submit: (write: TableWrite) => Promise<WriteResult>,
  durability: string,
): Promise<readonly Answer[]> {
  const handed = message as HandOver;
  if (handed.durability !== durability) return handed.writes.map(() => ({ kind: "refused" }));
  return Promise.all(
    handed.writes.map(async (plain, index): Promise<Answer> => {
      const request = handed.requests[index] as Request;
      try {
        return { kind: "done", value: await submit({ ...fromPlain(plain), request }) };
      } catch (error) {
        return answerOf(error);
      }
    }),
  );
}

/** Writes that the queue did not take, or could not look for, were not executed: their own process can do it. */
const NOT_EXECUTED = new Set(["QUEUE_CLOSED", "QUEUE_FULL", "TIMEOUT", "CANCELED"]);

function answerOf(error: unknown): Answer {
  if (!isTableError(error)) return { kind: "failed", code: "INTERNAL", message: String(error), details: {} };
  const { code, message, details } = error;
  return NOT_EXECUTED.has(code) ? { kind: "refused" } : { kind: "failed", code, message, details };
}

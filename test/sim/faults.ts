/** Trouble at one file-system call: every kind of it, and the planting of it at the n-th call of what runs next. */
import { type Call, type Fault, keepNothing, type World } from "./world.js";

export const FAULTS: Readonly<Record<string, Fault>> = {
  "killed before": { kill: "before" },
  "killed after": { kill: "after" },
  "killed in the middle": { kill: "torn" },
  "power cut before": { powerCut: "before", keep: keepNothing },
  "power cut after": { powerCut: "after", keep: keepNothing },
  "power cut, disk in disorder": { powerCut: "after" },
  "EIO before": { fail: "EIO", when: "before" },
  "EIO though done": { fail: "EIO", when: "after" },
  "disk full": { fail: "ENOSPC", when: "before" },
};

export const KINDS = Object.keys(FAULTS);

/** Each kind of fault takes every ninth call, and together they take all; CALLS=all tries every fault at every call. */
export function callsOf(kind: string): { readonly first: number; readonly step: number } {
  return process.env.CALLS === "all" ? { first: 0, step: 1 } : { first: KINDS.indexOf(kind), step: KINDS.length };
}

/** Hits the `at`-th call from now on. What it returns ends that, and tells which call was hit; undefined: there were fewer. */
export function hitCall(world: World, at: number, fault: Fault): () => Call | undefined {
  const first = world.calls;
  let hit: Call | undefined;
  world.onCall = (call) => {
    if (call.number !== first + at) return undefined;
    hit = call;
    return fault;
  };
  return () => {
    world.onCall = () => undefined;
    return hit;
  };
}

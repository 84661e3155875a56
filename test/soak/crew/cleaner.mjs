/** Compacts and removes everything that nobody needs, again and again. Says what came of it. */
import { connect } from "joust";
import { run, say } from "./say.mjs";

await run(async ({ dir, forMs, options }) => {
  const db = await connect(dir, options);
  const table = await db.openTable("t");
  let versionsRemoved = 0;
  let fragmentsRemoved = 0;
  let rounds = 0;
  say({ ready: true });
  for (const end = performance.now() + forMs; performance.now() < end; rounds++) {
    const { compaction, prune } = await table.optimize({ cleanupOlderThan: new Date(Date.now() + 60_000) });
    versionsRemoved += prune.oldVersionsRemoved;
    fragmentsRemoved += compaction.fragmentsRemoved;
  }
  await db.close();
  say({ rounds, versionsRemoved, fragmentsRemoved });
});

// The processes of the demo: starts them, passes on what is committed, draws the live line, collects what they say.
import { fork } from "node:child_process";
import { once } from "node:events";
import { batches, changeOf } from "./plan.mjs";
import { bar, LiveLine, number, style } from "./screen.mjs";

const DRAW_MS = 100;
/** The reader pins the table when this share of the batches is committed. */
const PIN_AT = 0.05;

export class Crew {
  #options;
  #children = [];
  #errors = [];
  #counts = { appended: 0, changed: 0, tallied: 0, rows: 0, rebases: 0, retries: 0, version: 1 };
  #appended = [];
  #changed = [];
  #pinned = undefined;
  #reader = undefined;
  #changer = undefined;
  #total;
  #startMs = 0;

  constructor(options) {
    this.#options = options;
    const { rows, writers } = options;
    this.#total = Array.from({ length: writers }, (_, i) => batches(rows, writers, i).length).reduce(
      (a, b) => a + b,
      0,
    );
  }

  /** Runs everything to the end. Answers what was done; what went wrong is in `errors`. */
  async work() {
    const line = new LiveLine();
    this.#startMs = performance.now();
    const drawing = setInterval(() => line.draw(this.#status()), DRAW_MS);
    try {
      const writers = Array.from({ length: this.#options.writers }, (_, index) => this.#start("writer", { index }));
      this.#changer = this.#start("changer", {});
      await this.#all([...writers, this.#changer], "ready");
      this.#startMs = performance.now();
      for (const writer of writers) writer.process.send("go");
      await this.#all(writers, "done");
      this.#tell(this.#changer, { kind: "stop" });
      await this.#all([this.#changer], "done");
      if (this.#reader !== undefined) {
        this.#tell(this.#reader, "stop");
        await this.#all([this.#reader], "done");
      }
    } catch (error) {
      this.#errors.push(error.message);
    } finally {
      clearInterval(drawing);
      for (const { process: child } of this.#children) child.kill();
    }
    const seconds = this.#seconds();
    line.draw(this.#status(), { last: true });
    const { appended, changed, tallied, rebases, retries } = this.#counts;
    return {
      seconds,
      commits: appended + changed + tallied,
      rebases,
      retries,
      appended: this.#appended,
      changed: this.#changed,
      pinned: this.#pinned ?? { version: 1, changed: 0 },
      errors: this.#errors,
    };
  }

  #start(name, more) {
    const child = fork(new URL(`./${name}.mjs`, import.meta.url), [JSON.stringify({ ...this.#options, ...more })], {
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
    const member = { name, process: child, said: new Set() };
    child.on("message", (message) => {
      member.said.add(message.kind);
      this.#hear(message);
    });
    this.#children.push(member);
    return member;
  }

  /** Resolves when all `members` have said `kind`; fails when one of them ends before that. */
  async #all(members, kind) {
    await Promise.all(
      members.map(async (member) => {
        while (!member.said.has(kind)) {
          if (member.process.exitCode !== null) throw new Error(`${member.name} ended before it was ${kind}`);
          const ended = new AbortController();
          const { signal } = ended;
          await Promise.race([once(member.process, "message", { signal }), once(member.process, "exit", { signal })]);
          ended.abort();
        }
      }),
    );
  }

  #tell(member, message) {
    if (member.process.connected) member.process.send(message);
  }

  #hear(message) {
    const counts = this.#counts;
    // Appends and changes of different rows are expressed anew on what the winners committed: a rebase. The row that
    // all writers share has to be read and computed again: a retry.
    if (message.kind === "tallied") counts.retries += message.attempts - 1;
    else if (message.attempts !== undefined) counts.rebases += message.attempts - 1;
    if (message.kind === "appended") {
      counts.appended++;
      counts.rows += message.rows;
      counts.version = Math.max(counts.version, message.version);
      this.#appended.push({ batch: message.batch, version: message.version });
      if (changeOf(message.batch) !== undefined) this.#tell(this.#changer, { kind: "change", batch: message.batch });
      if (this.#reader === undefined && counts.appended >= this.#total * PIN_AT) {
        this.#reader = this.#start("reader", { version: message.version });
      }
    } else if (message.kind === "changed") {
      counts.changed++;
      counts.version = Math.max(counts.version, message.version);
      this.#changed.push({ batch: message.batch, version: message.version });
    } else if (message.kind === "tallied") {
      counts.tallied++;
    } else if (message.kind === "checked") {
      this.#pinned = message;
    }
  }

  #seconds = () => (performance.now() - this.#startMs) / 1000;

  #status() {
    const { appended, changed, tallied, rows, rebases, retries, version } = this.#counts;
    const share = appended / this.#total;
    const rate = (appended + changed + tallied) / Math.max(0.001, this.#seconds());
    const parts = [
      `${bar(share)} ${String(Math.floor(share * 100)).padStart(3)} %`,
      `${number(rows)} rows`,
      `version ${version}`,
      `${rate.toFixed(0)} commits/s`,
      `${number(rebases)} rebases`,
      `${number(retries)} retries`,
    ];
    if (this.#pinned !== undefined) {
      const { version: at, checks, changed: differed } = this.#pinned;
      const verdict = differed === 0 ? style("green", "same answer") : style("red", `${differed} other answers`);
      parts.push(`reader on ${at}: ${checks} × ${verdict}`);
    }
    return parts.join("  ");
  }
}

/** What LanceDB 0.39 answered to the same expressions on the same table (fixtures/generate/expression wrote both). */
import { readFileSync } from "node:fs";
import { type RecordBatch, tableFromIPC, Vector } from "apache-arrow";
import { describe, expect, test } from "vitest";
import { bindExpression, bindFilter } from "../../../src/compute/expression/bind.js";
import { evaluate, selectRows } from "../../../src/compute/expression/evaluate.js";
import { parseExpression } from "../../../src/compute/expression/parse.js";
import { isTableError } from "../../../src/support/errors.js";

interface Answer {
  readonly text: string;
  readonly rejected?: string;
  readonly ids?: readonly number[];
  readonly type?: string;
  readonly values?: readonly unknown[];
}

const folder = new URL("../../../fixtures/expression/", import.meta.url);
const answers = JSON.parse(readFileSync(new URL("answers.json", folder), "utf8")) as {
  readonly filters: readonly Answer[];
  readonly selects: readonly Answer[];
};
const table = tableFromIPC(readFileSync(new URL("table.arrow", folder)));
const batch = table.batches[0] as RecordBatch;

/** Where we differ on purpose: the text, and why. */
const DELIBERATE: Readonly<Record<string, string>> = {
  "i64 > -9223372036854775808": "the least int64 is an integer here; native reads it as a float and refuses it",
  "mixed = 1": "a name that fits two columns is an error; native silently takes the first",
  "CAST(dec AS int) = 12": "the cast is computed; native compares the uncast decimal with 12.00",
  "CAST(x AS decimal(5,1)) = 3": "a value that does not fit the cast is an error; native drops the cast",
  "x > 1_000": "native reads 1 and takes _000 for an alias",
  "s LIKE 'a!%b%' ESCAPE '!'": "any escape character works; native knows only the backslash",
  "i32 = 1 garbage": "text that is left over is an error; native ignores it",
  "i32 = 1 LIMIT 1": "text that is left over is an error; native ignores it",
  "i32 = 1 ORDER BY i32": "text that is left over is an error; native ignores it",
  "i32 = 1 GROUP BY i32": "text that is left over is an error; native ignores it",
  "s, x": "text that is left over is an error; native ignores it",
  "trim(s) = 'abc'": "trim is a function here; native's grammar swallows it",
  "trim(s, 'a') = 'bc'": "trim is a function here; native's grammar swallows it",
  "trim(s)": "trim is a function here; native's grammar swallows it",
  "ceil(f64) = 2": "ceil is a function here; native's grammar swallows it",
  "floor(f64) = 1": "floor is a function here; native's grammar swallows it",
  "ceil(f32)": "ceil is a function here; native's grammar swallows it",
  "floor(x)": "floor is a function here; native's grammar swallows it",
  "floor(dec)": "floor is a function here; native's grammar swallows it",
  "sqrt(f64) > 1": "NaN has no sign here; native's square root of -inf is a NaN below all numbers",
  "array_has_all(tags, [])": "a NULL list is unknown; native says TRUE",
  "nums[x] = 1": "an index beyond the list is NULL however large; native fails on 2^63 - 1",
  "coalesce(d32, ts_us)": "a date meets a timestamp in the timestamp's unit; native widens to nanoseconds",
  "regexp_match(s, 'a(.)c')": "regexp_match is TRUE or FALSE; native gives the groups outside of filters",
  "regexp_match(s, 'a.c')": "regexp_match is TRUE or FALSE; native gives the groups outside of filters",
  '"s"': "double quotes are a name everywhere; native takes them for a string in select expressions",
  "[1, NULL, 3]": "a list literal may hold NULL; native fails on it",
  "nullif(f64, 0)": "-0 equals 0 everywhere; native's nullif tells them apart",
};

function plain(value: unknown): unknown {
  if (value === null || value === undefined) return null;
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "number" && !Number.isFinite(value)) return String(value);
  if (Object.is(value, -0)) return "-0";
  if (value instanceof Uint8Array) return `x'${Buffer.from(value).toString("hex")}'`;
  if (value instanceof Uint32Array) return Array.from(value);
  if (typeof value !== "object") return value;
  if ("toJSON" in value && typeof value.toJSON === "function") return plain(value.toJSON());
  if (Array.isArray(value)) return value.map(plain);
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, plain(item)]));
}

/** The outcome of `compute`, or "rejected" when it throws one of our errors. */
function outcome(compute: () => unknown): unknown {
  try {
    return compute();
  } catch (error) {
    if (isTableError(error, "INVALID_ARGUMENT") || isTableError(error, "NOT_SUPPORTED")) return "rejected";
    throw error;
  }
}

const filter = (text: string) => outcome(() => [...selectRows(bindFilter(parseExpression(text), table.schema), batch)]);

const select = (text: string) =>
  outcome(() => {
    const data = evaluate(bindExpression(parseExpression(text), table.schema), batch);
    return { type: String(data.type), values: Array.from(new Vector([data]), plain) };
  });

describe("answers of native LanceDB", () => {
  const filters = answers.filters.filter(({ text }) => !(text in DELIBERATE));
  const selects = answers.selects.filter(({ text }) => !(text in DELIBERATE));

  test.each(filters)("the filter $text keeps the rows that native keeps", ({ text, ids }) => {
    expect(filter(text)).toEqual(ids ?? "rejected");
  });

  test.each(selects)("the expression $text has the type and values that native gives", ({ text, type, values }) => {
    expect(select(text)).toEqual(values === undefined ? "rejected" : { type, values });
  });

  test("every deliberate difference is one that exists", () => {
    const known = new Map([...answers.filters, ...answers.selects].map((answer) => [answer.text, answer]));
    for (const text of Object.keys(DELIBERATE)) {
      const answer = known.get(text);
      expect(answer, text).toBeDefined();
      const native = answer?.rejected ? "rejected" : (answer?.ids ?? { type: answer?.type, values: answer?.values });
      expect(answer?.ids || answers.filters.includes(answer as Answer) ? filter(text) : select(text), text).not.toEqual(
        native,
      );
    }
  });
});

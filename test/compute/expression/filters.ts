/** Random filters over the table of fixtures/expression, most of them valid. */
import fc from "fast-check";

const INTEGERS = ["id", "i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64", "x", "y", "z", "fooBar"];
const FLOATS = ["f32", "f64"];
const TEXTS = ["s", "`we ird`", "meta.name"];
const ANY = [
  ...INTEGERS,
  ...FLOATS,
  ...TEXTS,
  "b",
  "d32",
  "ts_us",
  "dec",
  "tags",
  "nums",
  "meta",
  "meta.a",
  "vec",
  "bin",
];

const compare = fc.constantFrom("=", "!=", "<", "<=", ">", ">=", "<>", "==");
const not = fc.constantFrom("", "", "NOT ");
const whole = fc.oneof(
  fc.integer({ min: -5, max: 10 }),
  fc.constantFrom(127, 255, 32767, 2147483647, 9007199254740992),
);
const fraction = fc.constantFrom("0.1", "1.5", "-2.5", "0.0", "-0.0", "5.0", "1e300", "2");
const quoted = fc
  .constantFrom("", "a", "abc", "ABC", "äöü", "日本語", "b", "it's", "p", "q", "n1", "😀 smile", "a%b_c", "1", "z")
  .map((text) => `'${text.replaceAll("'", "''")}'`);
const pattern = fc
  .array(fc.constantFrom("%", "_", "a", "b", "c", "ö", "日", "A", "\\%", "\\_", "'", "😀", " ", "s"), { maxLength: 5 })
  .map((parts) => `'${parts.join("").replaceAll("'", "''")}'`);

const integerColumn = fc.constantFrom(...INTEGERS);
const floatColumn = fc.constantFrom(...FLOATS);
const textColumn = fc.constantFrom(...TEXTS);

const arithmetic = fc
  .tuple(integerColumn, fc.constantFrom("+", "-", "*"), fc.oneof(integerColumn, whole.map(String)))
  .map(([a, operator, b]) => `${a} ${operator} ${b}`);

const join = (...parts: readonly fc.Arbitrary<unknown>[]) => fc.tuple(...parts).map((texts) => texts.join(""));
const text = (value: string) => fc.constant(value);

const leaf: fc.Arbitrary<string> = fc.oneof(
  join(integerColumn, text(" "), compare, text(" "), whole),
  join(whole, text(" "), compare, text(" "), integerColumn),
  join(floatColumn, text(" "), compare, text(" "), fc.oneof(fraction, whole)),
  join(textColumn, text(" "), compare, text(" "), quoted),
  join(integerColumn, text(" "), compare, text(" "), integerColumn),
  join(floatColumn, text(" "), compare, text(" "), floatColumn),
  join(textColumn, text(" "), compare, text(" "), textColumn),
  join(text("("), arithmetic, text(") "), compare, text(" "), whole),
  join(integerColumn, text(" "), not, text("BETWEEN "), whole, text(" AND "), whole),
  join(floatColumn, text(" "), not, text("BETWEEN "), fraction, text(" AND "), fraction),
  join(integerColumn, text(" "), not, text("IN ("), fc.array(whole, { minLength: 1, maxLength: 6 }), text(")")),
  join(floatColumn, text(" "), not, text("IN ("), fc.array(fraction, { minLength: 1, maxLength: 3 }), text(")")),
  join(
    textColumn,
    text(" "),
    not,
    text("IN ("),
    fc.array(fc.oneof(quoted, quoted, text("NULL")), { minLength: 1, maxLength: 7 }),
    text(")"),
  ),
  join(textColumn, text(" "), not, text("LIKE "), pattern),
  join(textColumn, text(" "), not, text("ILIKE "), pattern),
  join(fc.constantFrom(...ANY), text(" IS "), not, text("NULL")),
  text("b"),
  join(text("b IS "), not, fc.constantFrom("TRUE", "FALSE")),
  join(fc.constantFrom("contains", "starts_with", "ends_with"), text("("), textColumn, text(", "), quoted, text(")")),
  join(fc.constantFrom("length", "octet_length"), text("("), textColumn, text(") "), compare, text(" "), whole),
  join(fc.constantFrom("upper", "lower"), text("("), textColumn, text(") "), compare, text(" "), quoted),
  join(text("array_has(tags, "), quoted, text(")")),
  join(text("array_has_any(nums, ["), whole, text("])")),
  join(text("nums["), fc.integer({ min: -2, max: 2 }), text("] "), compare, text(" "), whole),
  join(text("coalesce("), integerColumn, text(", 0) "), compare, text(" "), whole),
  join(text("meta.a.b "), compare, text(" "), whole),
  join(text("CAST("), integerColumn, text(" AS string) "), compare, text(" "), quoted),
  join(text("d32 "), compare, text(" "), fc.constantFrom("date '2024-01-01'", "date '1970-01-01'")),
  join(
    fc.constantFrom("ts_s", "ts_ms", "ts_us", "ts_ns", "tz_us"),
    text(" "),
    compare,
    text(" timestamp '2024-01-01'"),
  ),
  join(text("dec "), compare, text(" decimal(10,2) '12.5'")),
  join(text("regexp_like("), textColumn, text(", '"), fc.constantFrom("^a", "b+", "[a-c]{2}", "."), text("')")),
  fc.constantFrom("true", "false", "NULL = 1"),
);

/** A filter of up to a few terms. */
export const randomFilter: fc.Arbitrary<string> = fc.letrec<{ filter: string }>((tie) => ({
  filter: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    leaf,
    join(text("("), tie("filter"), text(") AND ("), tie("filter"), text(")")),
    join(text("("), tie("filter"), text(") OR ("), tie("filter"), text(")")),
    join(text("NOT ("), tie("filter"), text(")")),
    join(text("("), tie("filter"), text(") IS "), not, text("NULL")),
  ),
})).filter;

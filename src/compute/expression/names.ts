/** From the names that a user writes to the columns of a schema. */
import type { DataType, Field, Schema } from "apache-arrow";
import { TableError } from "../../support/errors.js";
import { kindOf, shapeOf, typeText } from "./types.js";

/**
 * The column of that name: the exact name first, then, for a name that was not quoted, the one that differs only in
 * letter case. @throws INVALID_ARGUMENT when there is none, or several
 */
export function findColumn(schema: Schema, name: string, options: { readonly exact: boolean }): Field {
  const fields = schema.fields as readonly Field[];
  const same = fields.find((field) => field.name === name);
  if (same !== undefined) return same;
  const folded = name.toLowerCase();
  const alike = options.exact ? [] : fields.filter((field) => field.name.toLowerCase() === folded);
  if (alike.length === 1) return alike[0] as Field;
  if (alike.length > 1) {
    const names = alike.map((field) => `\`${field.name}\``).join(" and ");
    throw new TableError("INVALID_ARGUMENT", `The name ${name} fits ${names}; write one of them in backticks.`, {
      details: { name },
    });
  }
  throw unknownField(name, fields, options.exact);
}

function unknownField(name: string, fields: readonly Field[], exact: boolean): TableError {
  const names = fields.map((field) => field.name);
  const near = nearest(name, names);
  const hint = near.length === 0 ? "" : ` Did you mean ${near.map((other) => `\`${other}\``).join(" or ")}?`;
  const quoted = exact ? " Strings are written in single quotes." : "";
  const shown = names.slice(0, 50).map((other) => `\`${other}\``);
  const more = names.length > 50 ? ", …" : "";
  const message = `No field named ${exact ? `"${name}"` : name}.${hint}${quoted} Valid fields are ${shown.join(", ")}${more}.`;
  return new TableError("INVALID_ARGUMENT", message, { details: { name, nearest: near } });
}

/** The place of a field in a struct type; the letter case must be right. @throws INVALID_ARGUMENT */
export function findField(type: DataType, name: string): { readonly index: number; readonly type: DataType } {
  if (kindOf(type) !== "struct") {
    throw new TableError(
      "INVALID_ARGUMENT",
      `Cannot access field ${JSON.stringify(name)}: a ${typeText(type)} has no fields.`,
    );
  }
  const fields = shapeOf(type).children ?? [];
  const index = fields.findIndex((field) => field.name === name);
  const field = fields[index];
  if (field === undefined) {
    const names = fields.map((other) => other.name);
    const near = nearest(name, names);
    const hint = near.length === 0 ? "" : ` Did you mean \`${near[0]}\`?`;
    const message = `Field ${name} not found in struct.${hint} Valid fields are ${names.map((other) => `\`${other}\``).join(", ")}.`;
    throw new TableError("INVALID_ARGUMENT", message, { details: { name, nearest: near } });
  }
  return { index, type: field.type };
}

/** Up to three of `names` that are most like `name`, best first. */
export function nearest(name: string, names: readonly string[]): readonly string[] {
  const limit = Math.max(1, Math.floor(name.length / 3));
  return names
    .map((other) => ({ other, distance: editDistance(name.toLowerCase(), other.toLowerCase(), limit) }))
    .filter(({ distance }) => distance <= limit)
    .sort((a, b) => a.distance - b.distance)
    .slice(0, 3)
    .map(({ other }) => other);
}

/** Levenshtein distance, or anything above `limit` when it is above. */
function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) > limit || a.length > 255) return limit + 1;
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const swap = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(swap, (row[j] as number) + 1, (next[j - 1] as number) + 1));
    }
    row = next;
  }
  return row[b.length] as number;
}

/** Checks of numbers that callers give. */
import { TableError } from "../support/errors.js";

/** @throws INVALID_ARGUMENT unless the value is absent or an integer that is not negative */
export function checkCount(name: string, value: number | undefined): void {
  if (value === undefined || (Number.isSafeInteger(value) && value >= 0)) return;
  throw new TableError(
    "INVALID_ARGUMENT",
    `The ${name} is ${typeof value === "number" ? value : `of type ${typeof value}`}; it must be an integer that is not negative.`,
    {
      details: { [name]: value },
    },
  );
}

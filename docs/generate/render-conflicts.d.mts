export function renderConflicts(
  verdicts: Readonly<Record<string, Readonly<Record<string, string>>>>,
  judgements: Readonly<Record<string, { readonly rule: string; readonly verdicts: readonly string[] }>>,
): string;

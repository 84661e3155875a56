/** What a filter may ask for at most: hostile text must not cost more than its length (docs/errors.md, limits). */

export const TEXT_BYTES_MAX = 100_000;
export const DEPTH_MAX = 64;
export const TERMS_MAX = 5_000;
export const LIST_ITEMS_MAX = 100_000;
export const PATTERN_BYTES_MAX = 1_024;
/** Instructions of a compiled regular expression; counted repetitions unroll into them. */
export const REGEXP_STEPS_MAX = 10_000;

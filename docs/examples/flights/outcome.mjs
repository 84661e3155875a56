/**
 * What a write says about the races it lost before it won: `rebases` were expressed anew on what the winners had
 * committed, `retries` were run again because the winners had changed the same rows.
 */
export const outcome = ({ version, attempts = 1, rebases = 0 }) => ({
  version,
  rebases,
  retries: attempts - 1 - rebases,
});

import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    exclude: ["test/parity/**", "test/soak/**"],
    testTimeout: 60_000,
    // Slow machines take their time; only a test that fails waits for so long.
    expect: { poll: { timeout: 30_000 } },
    maxWorkers: 2,
  },
});

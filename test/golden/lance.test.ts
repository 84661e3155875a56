import { isDeepStrictEqual } from "node:util";
import { describe, expect, it } from "vitest";
import { valuesOf } from "../../fixtures/generate/lance/cases.mjs";
import { casesOf, columnValues, FIXTURES, openFixture, readAll } from "../data/lance/fixtures.js";

describe("data files that native LanceDB wrote", () => {
  it.each(FIXTURES.map((fixture) => [fixture.name, fixture] as const))(
    "%s reads back value by value",
    async (_, fixture) => {
      const { reader, schema } = await openFixture(fixture);
      expect(reader.rows).toBe(fixture.rows);
      const batches = await readAll(reader, { schema });
      casesOf(fixture).forEach((one, i) => {
        const actual = columnValues(batches, i, one.type);
        const expected = valuesOf(one, fixture.rows, fixture.nulls);
        // The slow comparison only where it has something to say.
        if (!isDeepStrictEqual(actual, expected)) expect(actual, one.name).toEqual(expected);
      });
    },
  );

  it("cover every file version with every number of rows and every share of nulls", () => {
    const seen = FIXTURES.map(({ version, rows, nulls }) => `${version} ${rows} ${nulls}`);
    for (const version of ["2.0", "2.1", "2.2"]) {
      for (const rows of [1, 10, 300, 2500]) {
        for (const nulls of ["none", "some", "all"]) expect(seen).toContain(`${version} ${rows} ${nulls}`);
      }
    }
  });
});

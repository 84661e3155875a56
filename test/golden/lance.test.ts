import { describe, expect, it } from "vitest";
import { valuesOf } from "../../fixtures/generate/lance/cases.mjs";
import { casesOf, columnValues, FIXTURES, openFixture, readAll } from "../data/lance/fixtures.js";

describe("data files that native LanceDB wrote", () => {
  it.each(FIXTURES.map((fixture) => [fixture.name, fixture] as const))(
    "%s reads back value by value",
    async (_, fixture) => {
      const { reader, schema } = await openFixture(fixture);
      expect(reader.rows).toBe(fixture.rows);
      const wrong: string[] = [];
      for (const [i, one] of casesOf(fixture).entries()) {
        const node = schema.nodes[i]!;
        const { Schema } = await import("apache-arrow");
        const request = { schema: { arrow: new Schema([node.field]), nodes: [node] } };
        try {
          const batches = await readAll(reader, request);
          expect(columnValues(batches, 0, one.type)).toEqual(valuesOf(one, fixture.rows, fixture.nulls));
        } catch (error) {
          wrong.push(`${one.name}: ${String((error as Error).message).slice(0, 200)}`);
        }
      }
      expect(wrong).toEqual([]);
    },
  );
});

/**
 * The lance codec: data files are Lance files 2.0, 2.1 or 2.2, as the table's data format says. docs/lance-files.md.
 *
 * `DataFile.fields` lists the leaves of the schema (every node in 2.0); `columnIndices` is the column of the file.
 */
import type { FragmentCodec } from "../codec.js";
import { openChecked } from "./checked-source.js";
import { openLanceFile } from "./decode/reader.js";
import { SmallFiles } from "./decode/small-files.js";
import { encodeLanceFile } from "./encode/file.js";

export const lanceCodec: FragmentCodec = {
  dataFormat: "lance",
  extension: "lance",
  gatherer: (schema) => SmallFiles.of(schema),
  encode: async (batches, schema, options) => encodeLanceFile(batches, schema, options?.fileVersion, options?.fileName),
  async open(source, file, schema) {
    const checked = await openChecked(source);
    const reader = await openLanceFile(checked.source, file, schema);
    return {
      rows: reader.rows,
      statistics: (fieldId) => checked.statistics.get(fieldId),
      read: (request) => reader.read(request),
    };
  },
};

/**
 * A column of the request as a tree of schema nodes over leaf columns of the file, for data files 2.1 and 2.2.
 *
 * Only leaves are stored; structs, lists and maps come out of the leaves' levels. Every page of every leaf is described
 * and checked before the first row is read.
 */
import type { DataFile } from "../../../format/fragment.js";
import type { SchemaNode } from "../../../format/schema.js";
import { TableError } from "../../../support/errors.js";
import { layoutOf } from "../../kernels/layout.js";
import type { Scratch } from "../../scratch.js";
import type { ColumnInfo, Container } from "../container.js";
import { assemble } from "./assemble.js";
import type { ByteReader } from "./byte-reader.js";
import type { ColumnReader } from "./column-reader.js";
import type { ColumnNode, LeafColumn } from "./column-tree.js";
import { damaged, located, type Place } from "./damage.js";
import { type Ranges, rangesLength } from "./flat-sinks.js";
import { type LayerKind, LevelSink } from "./levels.js";
import type { LeafSink, LeafType, PageDecoder } from "./page.js";
import { pageDecoder } from "./page-layout.js";
import { shapeOf, sinkFor, valueBytes } from "./shape.js";
import type { ArrayDecoder } from "./v20/context.js";

/** What a column is opened with. */
export interface ColumnSource {
  readonly container: Container;
  readonly path: string;
  readonly file: DataFile;
  /** The table's own node of an id: a packed struct is decoded with all its children. */
  readonly nodeOf: (id: number) => SchemaNode | undefined;
  /** Leaf columns by column of the file, with what is kept of their pages: every request shares them. */
  readonly leaves: Map<number, Promise<LeafColumn>>;
  /** The same for data files 2.0: decoders of each page. */
  readonly arrays: Map<number, readonly ArrayDecoder[]>;
}

/** The file's column that holds a field, if it holds it. */
export function columnOf(file: DataFile, fieldId: number): number | undefined {
  const at = file.fields.indexOf(fieldId);
  return at < 0 ? undefined : file.columnIndices[at];
}

/** @throws CORRUPT, NOT_SUPPORTED naming an encoding, INVALID_ARGUMENT for a field that the file does not hold */
export async function openColumn(source: ColumnSource, node: SchemaNode): Promise<ColumnReader> {
  const leaves: LeafColumn[] = [];
  const tree = await openNode(source, node, [], leaves);
  return {
    rowBytes: leaves.reduce((sum, leaf) => sum + leafRowBytes(leaf), 0),
    storedBytes: leaves.reduce((sum, leaf) => sum + storedBytes(leaf.info), 0),
    pageStarts: leaves[0]?.info.pages.map((page) => page.firstRow) ?? [],
    async load(ranges, reader) {
      const loads = await Promise.all(leaves.map((leaf) => loadLeaf(leaf, ranges, reader)));
      const rows = rangesLength(ranges);
      return () => {
        const sinks = loads.map((fill, i) => fill(newSink(leaves[i]!, rows, reader.scratch)));
        try {
          return assemble(tree, sinks, rows);
        } catch (error) {
          throw located(error, leaves[0]!.place(0));
        }
      };
    },
  };
}

async function openNode(
  source: ColumnSource,
  node: SchemaNode,
  outside: readonly LayerKind[],
  leaves: LeafColumn[],
): Promise<ColumnNode> {
  const layout = layoutOf(node.field.type);
  const index = columnOf(source.file, node.id);
  if (index === undefined && layout.kind === "struct") {
    const children = await openChildren(source, node, ["item", ...outside], leaves);
    return { kind: "struct", node, children };
  }
  if (layout.kind === "list") {
    const children = await openChildren(source, node, ["list", ...outside], leaves);
    return { kind: "list", node, children };
  }
  if (index === undefined) {
    const message = `Column "${node.field.name}" (field ${node.id}) is not held by data file ${source.path}; read it as NULL.`;
    throw new TableError("INVALID_ARGUMENT", message, { details: { path: source.path, fieldId: node.id } });
  }
  const full = source.nodeOf(node.id) ?? node;
  const leaf = await sharedLeaf(source, full, index, ["item", ...outside]);
  return { kind: "leaf", node, full, leaf, position: leaves.push(leaf) - 1 };
}

async function openChildren(
  source: ColumnSource,
  node: SchemaNode,
  outside: readonly LayerKind[],
  leaves: LeafColumn[],
): Promise<ColumnNode[]> {
  if (node.children.length === 0) {
    const message = `Column "${node.field.name}" has no children to read; ask for at least one.`;
    throw new TableError("NOT_SUPPORTED", message, { details: { path: source.path, fieldId: node.id } });
  }
  const children: ColumnNode[] = [];
  for (const child of node.children) children.push(await openNode(source, child, outside, leaves));
  return children;
}

function sharedLeaf(
  source: ColumnSource,
  node: SchemaNode,
  index: number,
  layers: readonly LayerKind[],
): Promise<LeafColumn> {
  let leaf = source.leaves.get(index);
  if (leaf === undefined) {
    leaf = openLeaf(source, node, index, layers);
    source.leaves.set(index, leaf);
    leaf.catch(() => source.leaves.delete(index));
  }
  return leaf;
}

async function openLeaf(
  source: ColumnSource,
  node: SchemaNode,
  index: number,
  layers: readonly LayerKind[],
): Promise<LeafColumn> {
  const { container, path } = source;
  const info = await container.column(index);
  const column = node.field.name;
  const place = (page: number): Place => ({ path, column, offset: info.pages[page]?.buffers[0]?.start ?? 0 });
  try {
    if (info.rows !== container.rows) damaged(`the column has ${info.rows} rows, the file ${container.rows}`);
  } catch (error) {
    throw located(error, place(0));
  }
  let page = 0;
  try {
    const type: LeafType = { shape: shapeOf(node.field.type), layers };
    const pages: PageDecoder[] = [];
    for (; page < info.pages.length; page++) pages.push(pageDecoder(info.pages[page]!, type));
    return { ...type, info, pages, place };
  } catch (error) {
    throw located(error, place(page));
  }
}

function newSink(leaf: LeafColumn, rows: number, scratch: Scratch | undefined): LeafSink {
  const hasLists = leaf.layers.includes("list");
  const capacity = hasLists ? 0 : rows;
  return { levels: new LevelSink(capacity, hasLists), values: sinkFor(leaf.shape, capacity, scratch) };
}

export function storedBytes(info: ColumnInfo): number {
  let bytes = 0;
  for (const page of info.pages) for (const buffer of page.buffers) bytes += buffer.end - buffer.start;
  return bytes;
}

/** What one row may take in memory, as far as it can be told without reading it. */
function leafRowBytes(leaf: LeafColumn): number {
  return Math.max(valueBytes(leaf.shape), storedBytes(leaf.info) / Math.max(1, leaf.info.rows));
}

/** Reads the pages that hold the rows; what comes back fills a sink. */
async function loadLeaf(leaf: LeafColumn, ranges: Ranges, reader: ByteReader): Promise<(sink: LeafSink) => LeafSink> {
  const parts = splitByPage(leaf.info, ranges);
  const fills = await Promise.all(
    parts.map(async (part) => {
      try {
        return await leaf.pages[part.page]!.load(part.ranges, reader);
      } catch (error) {
        throw located(error, leaf.place(part.page));
      }
    }),
  );
  return (sink) => {
    parts.forEach((part, i) => {
      try {
        fills[i]!(sink);
      } catch (error) {
        throw located(error, leaf.place(part.page));
      }
    });
    return sink;
  };
}

export interface PagePart {
  readonly page: number;
  /** Relative to the page. */
  readonly ranges: number[];
}

/** The rows' pages, in order. */
export function splitByPage(info: ColumnInfo, ranges: Ranges): PagePart[] {
  const parts: PagePart[] = [];
  let page = 0;
  for (let i = 0; i < ranges.length; i += 2) {
    let start = ranges[i]!;
    const end = ranges[i + 1]!;
    while (start < end && page < info.pages.length) {
      const { firstRow, rows } = info.pages[page]!;
      if (start >= firstRow + rows) {
        page++;
        continue;
      }
      const stop = Math.min(end, firstRow + rows);
      const last = parts.at(-1);
      if (last?.page === page) last.ranges.push(start - firstRow, stop - firstRow);
      else parts.push({ page, ranges: [start - firstRow, stop - firstRow] });
      start = stop;
    }
  }
  return parts;
}

/** A page under construction: some rows of one column, with the buffers that hold them. */
import type { Message } from "./describe.js";

/** One page buffer; its pieces lie behind one another in the file. */
export type PageBuffer = readonly Uint8Array[];

export interface EncodedPage {
  readonly rows: number;
  /** Row number of the page's first row in the file. */
  readonly firstRow: number;
  /** A lance.encodings21.PageLayout or lance.encodings.ArrayEncoding. */
  readonly layout: Message;
  readonly buffers: readonly PageBuffer[];
}

/** All pages of one column of the file. */
export interface EncodedColumn {
  readonly pages: readonly EncodedPage[];
}

/**
 * From a page's description to its decoder, for data files 2.1 and 2.2.
 */
import { fromBinary } from "@bufbuild/protobuf";
import { type PageLayout, PageLayoutSchema } from "../../../format/protos/encodings21_pb.js";
import type { PageInfo } from "../container.js";
import { constantDecoder } from "./constant.js";
import { damaged, unknownEncoding } from "./damage.js";
import { fullZipDecoder } from "./full-zip.js";
import { miniBlockDecoder } from "./mini-block.js";
import type { LeafType, PageDecoder } from "./page.js";

const TYPE_URL = "/lance.encodings21.PageLayout";

/** @throws CORRUPT, NOT_SUPPORTED naming what is not known */
export function pageDecoder(page: PageInfo, leaf: LeafType): PageDecoder {
  if (page.encoding.typeUrl !== TYPE_URL) unknownEncoding(`the page encoding ${page.encoding.typeUrl}`);
  return layoutDecoder(page, fromBinary(PageLayoutSchema, page.encoding.value), leaf);
}

function layoutDecoder(page: PageInfo, { layout }: PageLayout, leaf: LeafType): PageDecoder {
  switch (layout.case) {
    case "miniBlockLayout":
      return miniBlockDecoder(page, layout.value, leaf);
    case "constantLayout":
      return constantDecoder(page, layout.value, leaf);
    case "fullZipLayout":
      return fullZipDecoder(page, layout.value, leaf);
    case undefined:
      return damaged("a page has no layout");
    default:
      return unknownEncoding(`the page layout ${layout.case}`);
  }
}

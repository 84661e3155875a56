import { Buffer } from "node:buffer";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FragmentList } from "../../src/format/fragment-list.js";
import { decodeManifest, encodeManifest, MANIFEST_BYTES_MAX, type Manifest } from "../../src/format/manifest.js";
import { schemaFromFields } from "../../src/format/schema.js";
import { WireWriter } from "../../src/format/wire-writer.js";
import { manifests, read } from "../golden/format-tables.js";
import { manifest as anyManifest, fragmentWithId } from "./arbitraries.js";
import { damaged, expectTyped } from "./damage.js";

const PATH = "_versions/1.manifest";

function bytesOf(manifest: Manifest): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.concat(encodeManifest(manifest)));
}

function meaning(manifest: Manifest): unknown {
  return { ...manifest, fragments: [...manifest.fragments] };
}

const [small] = fc.sample(anyManifest, { numRuns: 1, seed: 7 }) as [Manifest];

/** Uses everything that a decoded manifest offers, also what is decoded late. */
function use(manifest: Manifest): void {
  for (const fragment of manifest.fragments) expect(fragment.id).toBeGreaterThanOrEqual(0);
  manifest.fragments.rowCount();
}

/** A manifest file without our checksum around any message. */
function fileAround(message: Uint8Array): Uint8Array<ArrayBuffer> {
  const file = new Uint8Array(4 + message.length + 16);
  const view = new DataView(file.buffer);
  view.setUint32(0, message.length, true);
  file.set(message, 4);
  view.setUint16(4 + message.length + 10, 2, true);
  file.set(new TextEncoder().encode("LANC"), 4 + message.length + 12);
  return file;
}

test("a manifest that is written and read again says the same", () => {
  fc.assert(
    fc.property(anyManifest, (manifest) => {
      expect(meaning(decodeManifest(bytesOf(manifest), PATH))).toEqual(meaning(manifest));
    }),
    { numRuns: 300 },
  );
});

test("every truncation and every flipped bit of a manifest of ours is found, or changes nothing that it says", () => {
  let found = 0;
  const bytes = bytesOf(small);
  for (const damage of damaged(bytes)) {
    let manifest: Manifest;
    try {
      manifest = decodeManifest(damage, PATH);
    } catch (error) {
      expectTyped(error);
      found++;
      continue;
    }
    expect(meaning(manifest)).toEqual(meaning(small));
  }
  // Only the eight bytes that announce the checksum are not covered by it.
  expect(found).toBe(bytes.length * 9 - 64);
});

test("a damaged manifest without checksum is read or refused, and never breaks the process", () => {
  const { path } = manifests("history").at(-4)!;
  for (const bytes of damaged(read("history", path))) {
    try {
      const manifest = decodeManifest(bytes, PATH);
      use(manifest);
    } catch (error) {
      expectTyped(error);
    }
  }
});

test("random bytes in the message's place are read or refused", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (message) => {
      try {
        const manifest = decodeManifest(fileAround(message), PATH);
        use(manifest);
        schemaFromFields(manifest.fields, manifest.schemaMetadata);
      } catch (error) {
        expect(error).toHaveProperty("code", expect.stringMatching(/^(CORRUPT|NOT_SUPPORTED)$/));
      }
    }),
    { numRuns: 2_000 },
  );
});

describe("a manifest file is refused", () => {
  const refused = (bytes: Uint8Array, message: RegExp, code = "CORRUPT") => {
    expect(() => decodeManifest(bytes, PATH)).toThrow(
      expect.objectContaining({ code, message: expect.stringMatching(message) }),
    );
  };

  test("when a crash left it empty", () => refused(new Uint8Array(), /_versions\/1\.manifest .*empty/));

  test("when a crash left zeros", () => refused(new Uint8Array(500), /LANC/));

  test("when its container is of a newer format", () => {
    const bytes = bytesOf(small);
    bytes[bytes.length - 6] = 3;
    refused(bytes, /format 0\.3/, "NOT_SUPPORTED");
  });

  test("when it is larger than any manifest, before anything is read", () => {
    const bytes = new Uint8Array(MANIFEST_BYTES_MAX + 1);
    refused(bytes, /more than a manifest may have/, "NOT_SUPPORTED");
  });

  test("when fragment ids do not ascend", () => {
    const writer = new WireWriter();
    writer.uint(3, 1);
    for (const id of [2, 2]) {
      const start = writer.begin(2);
      writer.uint(1, id);
      writer.commit(start);
    }
    refused(fileAround(writer.finish()), /ascend/);
  });

  test("when a fragment has more deleted rows than rows", () => {
    const writer = new WireWriter();
    writer.uint(3, 1);
    const start = writer.begin(2);
    writer.uint(4, 5);
    const deletion = writer.begin(3);
    writer.uint(4, 6);
    writer.commit(deletion);
    writer.commit(start);
    refused(fileAround(writer.finish()), /more deleted rows/);
  });

  test("when it names a transaction file outside the table", () => {
    const writer = new WireWriter();
    writer.uint(3, 1);
    writer.string(12, "../../x.txn");
    refused(fileAround(writer.finish()), /outside/);
  });

  test("when it points to sections outside the file", () => {
    for (const field of [6, 21]) {
      const writer = new WireWriter();
      writer.uint(3, 1);
      writer.uint(field, 2 ** 40);
      refused(fileAround(writer.finish()), /section/);
    }
  });
});

test("a section that runs into the manifest message is refused", () => {
  const writer = new WireWriter();
  writer.uint(3, 1);
  writer.uint(21, 0);
  const bare = fileAround(writer.finish());
  const bytes = new Uint8Array(8 + bare.length);
  bytes.set(bare, 8);
  new DataView(bytes.buffer).setUint32(0, 9, true);
  bytes[bytes.length - 16] = 8;
  expect(() => decodeManifest(bytes, PATH)).toThrow(expect.objectContaining({ code: "CORRUPT" }));
});

test("fragments between other fields are found, in their order", () => {
  const writer = new WireWriter();
  for (const id of [1, 5]) {
    const start = writer.begin(2);
    writer.uint(1, id);
    writer.commit(start);
    writer.uint(3, id);
  }
  const manifest = decodeManifest(fileAround(writer.finish()), PATH);
  expect(manifest.fragments.ids()).toEqual([1, 5]);
  expect(manifest.version).toBe(5);
});

test("encoding copies no fragment: the pieces of a long list are those of the file it came from", () => {
  const list = Array.from({ length: 2_000 }, (_, id) => fc.sample(fragmentWithId(id), { numRuns: 1, seed: id })[0]!);
  const bytes = bytesOf({ ...small, fragments: FragmentList.from(list) });
  const { fragments } = decodeManifest(bytes, PATH);
  const next = fc.sample(fragmentWithId(5_000), { numRuns: 1, seed: 1 })[0]!;
  const chunks = encodeManifest({ ...small, fragments: fragments.append([next]) });
  expect(chunks.length).toBeLessThan(12);
  expect(chunks.some((chunk) => chunk.buffer === bytes.buffer && chunk.length > 100_000)).toBe(true);
});

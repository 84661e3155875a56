/** A store around another one: counts requests by kind, and lets a test step in before a call or around a publication. */
import type { Chunks, ObjectStore, StagedObject, WriteOptions } from "../../src/store/contract.js";

export type Call =
  | "get"
  | "open"
  | "head"
  | "list"
  | "write"
  | "replace"
  | "create"
  | "stage"
  | "publish"
  | "sync"
  | "delete";

export interface Hooks {
  /** Awaited before the call goes on; what it throws is what the call throws. */
  before?: (call: Call, path: string) => Promise<void> | void;
  /** In the place of `publish`. */
  publish?: (path: string, publish: StagedObject["publish"]) => ReturnType<StagedObject["publish"]>;
}

export class WrappedStore implements ObjectStore {
  readonly inner: ObjectStore;
  readonly calls: { readonly call: Call; readonly path: string }[] = [];
  hooks: Hooks = {};

  constructor(inner: ObjectStore) {
    this.inner = inner;
  }

  /** Not "memory": a store that several processes share, so that they tell each other of themselves. */
  readonly scheme = "shared";
  get display() {
    return this.inner.display;
  }

  /** How many calls of these kinds there were since `forget`, in all or of paths that hold `part`. */
  count(call: Call, part = ""): number {
    return this.calls.filter((one) => one.call === call && one.path.includes(part)).length;
  }
  forget(): void {
    this.calls.length = 0;
  }

  async #step(call: Call, path: string): Promise<void> {
    this.calls.push({ call, path });
    await this.hooks.before?.(call, path);
  }

  async get(path: string) {
    await this.#step("get", path);
    return this.inner.get(path);
  }
  async open(path: string) {
    await this.#step("open", path);
    return this.inner.open(path);
  }
  async head(path: string) {
    await this.#step("head", path);
    return this.inner.head(path);
  }
  async list(directory: string, options?: { readonly after?: string }) {
    await this.#step("list", directory);
    return this.inner.list(directory, options);
  }
  async write(path: string, chunks: Chunks, options: WriteOptions) {
    await this.#step("write", path);
    return this.inner.write(path, chunks, options);
  }
  async replace(path: string, chunks: Chunks, options: WriteOptions) {
    await this.#step("replace", path);
    return this.inner.replace(path, chunks, options);
  }
  async create(path: string, chunks: Chunks, options: WriteOptions) {
    await this.#step("create", path);
    return this.inner.create(path, chunks, options);
  }
  async stage(path: string, chunks: Chunks, options: WriteOptions): Promise<StagedObject> {
    await this.#step("stage", path);
    const staged = await this.inner.stage(path, chunks, options);
    return {
      publish: async () => {
        await this.#step("publish", path);
        const publish = () => staged.publish();
        return this.hooks.publish === undefined ? publish() : this.hooks.publish(path, publish);
      },
      discard: () => staged.discard(),
    };
  }
  async sync(paths: readonly string[]) {
    for (const path of paths) await this.#step("sync", path);
    return this.inner.sync(paths);
  }
  async delete(path: string) {
    await this.#step("delete", path);
    return this.inner.delete(path);
  }
  deleteTree(directory: string) {
    return this.inner.deleteTree(directory);
  }
  probe() {
    return this.inner.probe();
  }
  close() {
    return this.inner.close();
  }
}

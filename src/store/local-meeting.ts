/**
 * How processes of one machine that use the same directory reach each other: a Unix socket beside the files.
 *
 * A name belongs to whoever's socket stands under it; it is given by `link`, so that one of two who want it gets it.
 * The socket of a process that died refuses connections and is replaced. Messages are frames of a length and as many
 * bytes. Windows, and file systems that know no sockets, have no meetings: `host` and `join` find nobody there.
 */
import { chmodSync, closeSync, linkSync, lstatSync, openSync, readdirSync, renameSync, unlinkSync } from "node:fs";
import { createConnection, createServer, type Server, type Socket } from "node:net";
import { dirname, join } from "node:path";
import type { Runtime } from "../support/runtime.js";
import type { Host, Meeting, ObjectStore, Peer } from "./contract.js";
import type { Directories } from "./directories.js";
import { checkPath } from "./paths.js";

/** The system takes no longer paths of sockets. */
const ADDRESS_BYTES_MAX = 100;
const LENGTH_BYTES = 4;
/** Longer messages are nobody's. */
const MESSAGE_BYTES_MAX = 64 * 1024 * 1024;
const OWNER_ONLY = 0o600;

/** Meetings by real sockets. */
export const localMeeting: Meeting = { host, join: joinHost };

/** What a store in `directories` offers of a meeting. */
export function meetingIn(
  directories: Directories,
  meeting: Meeting,
  runtime: Runtime,
): Required<Pick<ObjectStore, "host" | "join">> {
  const absolute = (path: string) => {
    checkPath(path);
    return directories.absolute(path);
  };
  return {
    host: async (path, accept, takeOver) => meeting.host(absolute(path), accept, runtime.uuid().slice(0, 8), takeOver),
    join: async (path) => meeting.join(absolute(path)),
  };
}

async function host(
  path: string,
  accept: (peer: Peer) => void,
  id: string,
  takeOver: boolean,
): Promise<Host | undefined> {
  const temporary = `${path}.${id}`;
  const server = createServer((socket) => accept(new SocketPeer(socket)));
  try {
    await withAddress(temporary, (address) => listen(server, address));
    server.unref();
    chmodSync(temporary, OWNER_ONLY);
    const { ino } = lstatSync(temporary);
    if (!takeName(temporary, path, takeOver || !(await answers(path)))) {
      closeServer(server, temporary);
      return undefined;
    }
    removeLeftOver(path);
    return {
      isReached: async () => inodeOf(path) === ino,
      async close() {
        if (inodeOf(path) === ino) unlinkQuietly(path);
        closeServer(server, temporary);
      },
    };
  } catch {
    closeServer(server, temporary);
    return undefined;
  }
}

function listen(server: Server, address: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(address, () => {
      server.removeListener("error", reject);
      server.on("error", () => {});
      resolve();
    });
  });
}

/** False when somebody else has the name and is to keep it. */
function takeName(temporary: string, path: string, replace: boolean): boolean {
  try {
    linkSync(temporary, path);
    unlinkSync(temporary);
    return true;
  } catch (error) {
    if ((error as { code?: unknown }).code !== "EEXIST" || !replace) return false;
    renameSync(temporary, path);
    return true;
  }
}

/** Sockets of processes that died before they had the name. One that is just being made is made again. */
function removeLeftOver(path: string): void {
  const directory = dirname(path);
  const prefix = `${path.slice(directory.length + 1)}.`;
  for (const name of readdirSync(directory)) if (name.startsWith(prefix)) unlinkQuietly(join(directory, name));
}

/** Connections that were accepted go on. */
function closeServer(server: Server, temporary: string): void {
  unlinkQuietly(temporary);
  server.close();
}

async function answers(path: string): Promise<boolean> {
  const socket = await connect(path);
  socket?.destroy();
  return socket !== undefined;
}

async function joinHost(path: string): Promise<Peer | undefined> {
  const socket = await connect(path);
  return socket === undefined ? undefined : new SocketPeer(socket);
}

async function connect(path: string): Promise<Socket | undefined> {
  if (inodeOf(path) === undefined) return undefined;
  try {
    return await withAddress(path, (address) => {
      const socket = createConnection(address);
      return new Promise((resolve, reject) => {
        socket.once("error", reject);
        socket.once("connect", () => {
          socket.removeListener("error", reject);
          resolve(socket);
        });
      });
    });
  } catch {
    return undefined;
  }
}

/** Long paths are reached through the descriptor of their directory, where the system has names for those. */
async function withAddress<T>(path: string, use: (address: string) => Promise<T>): Promise<T> {
  if (Buffer.byteLength(path) <= ADDRESS_BYTES_MAX) return await use(path);
  const directory = openSync(dirname(path), "r");
  try {
    return await use(join("/proc/self/fd", String(directory), path.slice(dirname(path).length + 1)));
  } finally {
    closeSync(directory);
  }
}

function inodeOf(path: string): number | undefined {
  try {
    return lstatSync(path).ino;
  } catch {
    return undefined;
  }
}

function unlinkQuietly(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // It is gone, or it is left for the next one who hosts.
  }
}

class SocketPeer implements Peer {
  readonly #socket: Socket;
  #received: Buffer = Buffer.alloc(0);

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.unref();
    // "close" follows every error.
    socket.on("error", () => {});
  }

  listen(onMessage: (message: Uint8Array) => void, onEnd: () => void): void {
    this.#socket.on("data", (chunk: Buffer) => {
      this.#received = this.#received.byteLength === 0 ? chunk : Buffer.concat([this.#received, chunk]);
      this.#take(onMessage);
    });
    this.#socket.once("end", () => this.#socket.destroySoon());
    this.#socket.once("close", onEnd);
    if (this.#socket.destroyed) onEnd();
  }

  send(message: Uint8Array): void {
    if (!this.#socket.writable) return;
    const length = Buffer.alloc(LENGTH_BYTES);
    length.writeUInt32LE(message.byteLength);
    this.#socket.cork();
    this.#socket.write(length);
    this.#socket.write(message);
    this.#socket.uncork();
  }

  keepAlive(isNeeded: boolean): void {
    if (isNeeded) this.#socket.ref();
    else this.#socket.unref();
  }

  close(): void {
    this.#socket.destroySoon();
  }

  #take(onMessage: (message: Uint8Array) => void): void {
    let start = 0;
    while (this.#received.byteLength - start >= LENGTH_BYTES) {
      const length = this.#received.readUInt32LE(start);
      if (length > MESSAGE_BYTES_MAX) {
        this.#socket.destroy();
        return;
      }
      const from = start + LENGTH_BYTES;
      if (this.#received.byteLength < from + length) break;
      start = from + length;
      onMessage(this.#received.subarray(from, start));
    }
    this.#received = this.#received.subarray(start);
  }
}

// Adds to package-lock.json the optional packages of other platforms that `npm install` has left out. A registry mirror
// that lacks them makes npm drop them silently, and `npm ci` then refuses the lock file, on this platform too.
//   node .ci/lock.mjs [package-lock.json ...]
import { readFileSync, writeFileSync } from "node:fs";

const SYSTEMS = ["android", "darwin", "linux", "win32", "freebsd", "openbsd", "netbsd", "sunos", "aix", "openharmony"];
const PROCESSORS = ["arm64", "x64", "ia32", "arm", "riscv64", "s390x", "ppc64", "loong64", "mips64el", "wasm32"];

/** `os` and `cpu` as the name says them: "@scope/tool-linux-arm-gnueabihf" is linux, arm. */
function platformOf(name) {
  const words = name.slice(name.indexOf("/") + 1).split(/[-.]/);
  const os = SYSTEMS.filter((system) => words.includes(system) || (system === "win32" && words.includes("windows")));
  const cpu = PROCESSORS.filter((one) =>
    words.some((word) => word === one || (one === "arm" && /^armv[67]/.test(word))),
  );
  return { ...(cpu.length > 0 && { cpu }), ...(os.length > 0 && { os }) };
}

/** Where Node would look for `name` from the package at `from`, nearest first. */
function* places(from, name) {
  for (let at = from; at !== ""; at = at.slice(0, Math.max(0, at.lastIndexOf("/node_modules/")))) {
    yield `${at}/node_modules/${name}`;
  }
  yield `node_modules/${name}`;
}

function complete(lock) {
  const { packages } = lock;
  const added = [];
  for (const [from, { dev, optionalDependencies = {} }] of Object.entries(packages)) {
    for (const [name, version] of Object.entries(optionalDependencies)) {
      if ([...places(from, name)].some((place) => packages[place]?.version === version)) continue;
      const hoisted = `node_modules/${name}`;
      const place = packages[hoisted] === undefined ? hoisted : `${from}/node_modules/${name}`;
      const platform = platformOf(name);
      if (platform.os === undefined && platform.cpu === undefined) continue;
      packages[place] = { version, ...(dev && { dev }), optional: true, ...platform };
      added.push(place);
    }
  }
  lock.packages = Object.fromEntries(Object.entries(packages).sort(([a], [b]) => (a < b ? -1 : 1)));
  return added;
}

for (const path of process.argv.length > 2 ? process.argv.slice(2) : ["package-lock.json"]) {
  const lock = JSON.parse(readFileSync(path, "utf8"));
  const added = complete(lock);
  writeFileSync(path, `${JSON.stringify(lock, null, 2)}\n`);
  console.log(`${path}: ${added.length} packages of other platforms added`);
}

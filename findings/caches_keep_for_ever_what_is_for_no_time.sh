#!/usr/bin/env bash
# What is put into a cache for 0 seconds is kept for ever by aiocache 0.12.3 and cashews 7.6.0 (PyPI), and node-cache 5.1.2,
# keyv 5.6.0, lru-cache 11.5.3 and cache-manager 7.2.9 (npm), by these four also where the cache itself has a time of 50 ms.
# memoizee 0.4.17 does so with `maxAge: 0`. cachetools 5.5.2, diskcache 5.6.3 (PyPI), memoize 10.2.0 and moize 6.1.7 (npm)
# forget it.
# Guess: for ever by node-cache and keyv, not by cachetools; that it outdoes a time of the cache itself, nobody had asked.
# Seen: seven of eleven keep it. A token kept for `expires_in - 60` is one for ever, as soon as `expires_in` is 60.
source "$(dirname "$0")/lib/setup.sh"
python_with aiocache==0.12.3 cashews==7.6.0 cachetools==5.5.2 diskcache==5.6.3
node_with node-cache@5.1.2 keyv@5.6.0 lru-cache@11.5.3 cache-manager@7.2.9 memoizee@0.4.17 memoize@10.2.0 moize@6.1.7
# in_python NAME: whether a token that is put there for 0 seconds is there after 0.2 seconds, and one for 0.05 seconds.
in_python() {
  python - "$1" "$folder/disk" <<'PY'
import asyncio
import sys

import aiocache
import cachetools
import cashews
import diskcache

name, folder = sys.argv[1:]


async def kept(seconds):
    match name:
        case "aiocache":
            cache = aiocache.SimpleMemoryCache()
            await cache.set("web", "token", ttl=seconds)
        case "cashews":
            cache = cashews.Cache()
            cache.setup("mem://")
            await cache.set("web", "token", expire=seconds)
        case "cachetools":
            cache = cachetools.TTLCache(10, seconds)
            cache["web"] = "token"
        case "diskcache":
            cache = diskcache.Cache(folder)
            cache.set("web", "token", expire=seconds)
    await asyncio.sleep(0.2)
    found = cache.get("web")
    if asyncio.iscoroutine(found):
        found = await found
    return "kept" if found else "gone"


async def main():
    print(await kept(0), await kept(0.05))


asyncio.run(main())
PY
}
# in_node NAME: the same, but that the cache has a time of 50 ms of its own, if it can; the other token is kept for that.
cat >"$folder/kept.mjs" <<'JS'
import { createRequire } from "module";

const require = createRequire(import.meta.url);
const name = process.argv[2];
const stores = {
  "node-cache": async () => new (require("node-cache"))({ stdTTL: 0.05 }),
  keyv: async () => new (await import("keyv")).default({ ttl: 50 }),
  "lru-cache": async () => new (await import("lru-cache")).LRUCache({ max: 10, ttl: 50 }),
  "cache-manager": async () => (await import("cache-manager")).createCache({ ttl: 50 }),
};
const wrappers = {
  memoizee: async () => require("memoizee"),
  memoize: async () => (await import("memoize")).default,
  moize: async () => require("moize"),
};
const pause = () => new Promise((resolve) => setTimeout(resolve, 200));
const ends = [];
if (stores[name]) {
  const cache = await stores[name]();
  await cache.set("none", "token", name === "lru-cache" ? { ttl: 0 } : 0);
  await cache.set("own", "token");
  await pause();
  for (const key of ["none", "own"]) ends.push((await cache.get(key)) ? "kept" : "gone");
} else {
  for (const maxAge of [0, 50]) {
    let asked = 0;
    const cached = (await wrappers[name]())(() => ++asked, { maxAge });
    cached();
    await pause();
    ends.push(cached() === 1 ? "kept" : "gone");
  }
}
console.log(ends.join(" "));
process.exit();
JS
in_node() { node "$folder/kept.mjs" "$1"; }
for name in aiocache cashews; do same "$name" "$(in_python $name)" "kept gone"; done
for name in cachetools diskcache; do same "$name" "$(in_python $name)" "gone gone"; done
for name in node-cache keyv lru-cache cache-manager memoizee; do same "$name" "$(in_node $name)" "kept gone"; done
for name in memoize moize; do same "$name" "$(in_node $name)" "gone gone"; done

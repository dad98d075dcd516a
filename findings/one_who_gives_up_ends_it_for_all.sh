#!/usr/bin/env bash
# Three ask one cache for the same token at once, and share one request. With cashews 7.6.0 (PyPI), where `protected` is the
# default, all three are cancelled when any of them is, as by a timeout of its own. With lru-cache 11.5.3 (npm) an
# AbortSignal of the first ends all. async-lru 2.4.0 (PyPI) answers those who still wait.
# Guess: lru-cache ends all, async-lru goes on; that cashews does not, nobody had asked.
# Seen: so; with cashews whoever of them it is. A caller with a short timeout takes the token from all who began at the same time.
source "$(dirname "$0")/lib/setup.sh"
python_with cashews==7.6.0 async-lru==2.4.0
node_with lru-cache@11.5.3
# python_cache NAME WHO: what becomes of the three when WHO of them, counted from 0, is cancelled; and the requests.
python_cache() {
  python - "$@" <<'PY'
import asyncio
import sys

import cashews
from async_lru import alru_cache

name, who = sys.argv[1], int(sys.argv[2])
requests = 0


async def ask(_repository):
    global requests
    requests += 1
    await asyncio.sleep(0.3)
    return "token"


async def main():
    if name == "async-lru":
        cached = alru_cache()(ask)
    else:
        cache = cashews.Cache()
        cache.setup("mem://")
        protected = {} if name == "cashews" else {"protected": False}
        cached = cache(ttl="1m", key="token:{_repository}", **protected)(ask)
    callers = []
    for _ in range(3):
        callers.append(asyncio.create_task(cached("web")))
        await asyncio.sleep(0.02)
    callers[who].cancel()
    ends = await asyncio.gather(*callers, return_exceptions=True)
    print(*("cancelled" if isinstance(end, asyncio.CancelledError) else end for end in ends), requests)


asyncio.run(main())
PY
}
cat >"$folder/lru.mjs" <<'JS'
import { LRUCache } from "lru-cache";

let requests = 0;
const cache = new LRUCache({
  max: 10,
  fetchMethod: async () => {
    requests++;
    await new Promise((resolve) => setTimeout(resolve, 300));
    return "token";
  },
});
const impatient = new AbortController();
const callers = [cache.fetch("web", { signal: impatient.signal }), cache.fetch("web"), cache.fetch("web")];
impatient.abort();
const ends = await Promise.allSettled(callers);
console.log(...ends.map((end) => end.value ?? end.reason.name), requests);
JS
for who in 0 1 2; do same "cashews, caller $who gives up" "$(python_cache cashews $who)" "cancelled cancelled cancelled 1"; done
same "cashews, protected=False" "$(python_cache cashews-alone 0)" "cancelled token token 3"
same "async-lru, caller 0" "$(python_cache async-lru 0)" "cancelled token token 1"
same "async-lru, caller 1" "$(python_cache async-lru 1)" "token cancelled token 1"
same "lru-cache, caller 0" "$(node "$folder/lru.mjs")" "AbortError AbortError AbortError 1"

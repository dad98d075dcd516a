#!/usr/bin/env bash
# A clock that is set back by an hour, as after a wrong start of a machine: limits 5.8.0 (fixed and moving window),
# pyrate-limiter 4.5.1 with SQLite (PyPI), p-queue 9.3.5, p-throttle 8.1.1 and Bottleneck 2.19.5 (npm), told five calls a second,
# let nothing through for that hour. aiolimiter 1.3.0, throttled-py 3.5.0 and limiter 4.1.0 (npm) go on.
# Guess: so, but p-queue counts with timers and goes on.
# Seen: six of the ten stand still. faketime changes the clock of one process alone, not its monotonic one.
source "$(dirname "$0")/lib/setup.sh"
debian faketime 0.9.10
python_with limits==5.8.0 pyrate-limiter==4.5.1 aiolimiter==1.3.0 throttled-py==3.5.0
node_with p-queue@9.3.5 p-throttle@8.1.1 bottleneck@2.19.5 limiter@4.1.0
cat >"$folder/by.py" <<'PY'
import asyncio
import os
import sys

name, folder = sys.argv[1:]


def limiter():
    if name == "aiolimiter":
        from aiolimiter import AsyncLimiter

        return AsyncLimiter(5, 1).acquire
    if name.startswith("pyrate-limiter"):
        import pyrate_limiter as by

        rates = [by.Rate(5, by.Duration.SECOND)]
        bucket = by.SQLiteBucket.init_from_file(rates, db_path=f"{folder}/{os.getpid()}.db", create_new_table=True)
        found = by.Limiter(bucket if name.endswith("SQLite") else rates)
        return lambda: found.try_acquire_async("x")
    if name.startswith("limits"):
        from limits import aio, parse

        kind = "FixedWindowRateLimiter" if name.endswith("fixed") else "MovingWindowRateLimiter"
        window = getattr(aio.strategies, kind)(aio.storage.MemoryStorage())
        return until(lambda: window.hit(parse("5/second")))
    import throttled.asyncio as by

    bucket = by.Throttled(key="x", quota="5/s")

    async def free():
        return not (await bucket.limit()).limited

    return until(free)


def until(free):
    async def wait():
        while not await free():
            await asyncio.sleep(0.01)

    return wait


async def main():
    wait = limiter()

    async def five(seconds):
        calls = [asyncio.create_task(wait()) for _ in range(5)]
        done, _ = await asyncio.wait(calls, timeout=seconds)
        return len(done)

    before = await five(2)
    with open(os.environ["FAKETIME_TIMESTAMP_FILE"], "w") as offset:
        offset.write("-1h")
    print(before, await five(4), flush=True)
    os._exit(0)


asyncio.run(main())
PY
cat >"$folder/by.mjs" <<'JS'
import { writeFileSync } from "node:fs";
import Bottleneck from "bottleneck";
import { RateLimiter } from "limiter";
import PQueue from "p-queue";
import pThrottle from "p-throttle";

const ways = {
  "p-queue": () => { const queue = new PQueue({ intervalCap: 5, interval: 1000 }); return () => queue.add(async () => 1); },
  "p-throttle": () => pThrottle({ limit: 5, interval: 1000 })(async () => 1),
  bottleneck: () => { const all = new Bottleneck({ minTime: 200 }); return () => all.schedule(async () => 1); },
  limiter: () => { const all = new RateLimiter({ tokensPerInterval: 5, interval: "second" }); return () => all.removeTokens(1); },
};
const call = ways[process.argv[2]]();
async function five(seconds) {
  let done = 0;
  const calls = [1, 2, 3, 4, 5].map(() => call().then(() => done++));
  await Promise.race([Promise.all(calls), new Promise((late) => setTimeout(late, 1000 * seconds))]);
  return done;
}
const before = await five(2);
writeFileSync(process.env.FAKETIME_TIMESTAMP_FILE, "-1h");
console.log(before, await five(4));
process.exit(0);
JS
# by NAME: of five calls, how many are through before the clock is set back, and in the four seconds after it.
by() {
  local run=("$folder/venv/bin/python" "$folder/by.py" "$1" "$folder")
  case $1 in p-* | bottleneck | limiter) run=(node "$folder/by.mjs" "$1") ;; esac
  echo +0 >"$folder/offset"
  FAKETIME_TIMESTAMP_FILE=$folder/offset FAKETIME_NO_CACHE=1 FAKETIME_DONT_FAKE_MONOTONIC=1 \
    LD_PRELOAD=$(dpkg -L libfaketime | grep 'libfaketime\.so\.1$') "${run[@]}" 2>/dev/null
}
for name in "limits, fixed" "limits, moving" "pyrate-limiter, SQLite" p-queue p-throttle bottleneck; do same "$name" "$(by "$name")" "5 0"; done
for name in aiolimiter pyrate-limiter throttled-py limiter; do same "$name" "$(by "$name")" "5 5"; done

#!/usr/bin/env bash
# A limit of two at once, kept in Redis; a process is killed in its turn, others work on. Bottleneck 2.19.5 (npm) never gives that
# slot back, though its clientTimeout is 10 seconds: a job without `expiration` keeps it. By dramatiq 2.2.1 and its `ttl` of two
# seconds it stays taken as long as others work, since each of them sets the time anew. redis-semaphore 5.8.0 (npm), with a
# lockTimeout of two seconds, gives it back.
# Guess: back after 10 seconds by Bottleneck, after two by redis-semaphore; never by dramatiq while others work.
# Seen: not by Bottleneck, after 25. With a limit of one, a killed clean-up is the last one.
source "$(dirname "$0")/lib/setup.sh"
redis-server --version 2>/dev/null | grep -q 'v=7\.0\.' || { apt-get update -q && apt-get install -qy --no-install-recommends redis-server; } >/dev/null 2>&1
python_with dramatiq==2.2.1 redis==8.1.0
node_with bottleneck@2.19.5 redis-semaphore@5.8.0 ioredis@5.8.2
port=$(free_port)
redis-server --port "$port" --save '' --dir "$folder" >/dev/null &
servers+=($!)
until redis-cli -p "$port" ping >/dev/null 2>&1; do sleep 0.1; done
cat >"$folder/by.py" <<'PY'
import os
import subprocess
import sys
import time

from dramatiq.rate_limits import ConcurrentRateLimiter
from dramatiq.rate_limits.backends import RedisBackend

limiter = ConcurrentRateLimiter(RedisBackend(url=f"redis://127.0.0.1:{sys.argv[1]}"), "a", limit=2, ttl=2000)
if len(sys.argv) > 2:
    with limiter.acquire():
        os._exit(9)
subprocess.run([sys.executable, __file__, sys.argv[1], "killed"])
begun = time.monotonic()
while time.monotonic() - begun < 6:
    with limiter.acquire():
        time.sleep(0.2)
with limiter.acquire() as first, limiter.acquire(raise_on_failure=False) as second:
    print(first + second)
PY
cat >"$folder/by.mjs" <<'JS'
import { spawn } from "node:child_process";
import Bottleneck from "bottleneck";
import Redis from "ioredis";
import { Semaphore } from "redis-semaphore";

const [name, port, killed] = process.argv.slice(2);
const sleep = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));
const kill = () => setTimeout(() => process.kill(process.pid, "SIGKILL"), 700);
const ways = {
  bottleneck() {
    const limiter = new Bottleneck({ datastore: "ioredis", Redis, id: "a", maxConcurrent: 2, clientOptions: { port: +port } });
    return [(job) => limiter.schedule(job), 25];
  },
  "redis-semaphore"() {
    const client = new Redis(+port);
    const options = { lockTimeout: 2000, refreshInterval: 500, acquireTimeout: 400 };
    return [async (job) => {
      const semaphore = new Semaphore(client, "a", 2, options);
      await semaphore.acquire();
      try { await job(); } finally { await semaphore.release(); }
    }, 6];
  },
};
const [run, seconds] = ways[name]();
if (killed) run(() => { kill(); return sleep(60_000); });
else {
  await new Promise((ended) => spawn(process.execPath, [...process.argv.slice(1), "killed"]).on("exit", ended));
  const until = Date.now() + 1000 * seconds;
  while (Date.now() < until) await run(() => sleep(200));
  let together = 0;
  const jobs = [1, 2].map(() => run(async () => { together++; await sleep(2000); }).catch(() => {}));
  await sleep(1000);
  console.log(together);
  process.exit(0);
}
JS
same "Bottleneck: slots after 25 seconds" "$(cd "$folder" && node --no-warnings by.mjs bottleneck "$port" 2>/dev/null)" 1
redis-cli -p "$port" flushall >/dev/null
same "redis-semaphore: after 6" "$(cd "$folder" && node --no-warnings by.mjs redis-semaphore "$port" 2>/dev/null)" 2
redis-cli -p "$port" flushall >/dev/null
same "dramatiq: after 6" "$(python -W ignore "$folder/by.py" "$port")" 1

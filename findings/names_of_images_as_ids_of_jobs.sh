#!/usr/bin/env bash
# The name of an image as the id of its job, so that it waits once: BullMQ 6.7.0 (npm) refuses `web:v1` and `web@sha256:…`, as they
# have a colon, and takes `localhost:5000/web:v1` and `web:v1@sha256:…`, as they have two. rq 3.0.0 (PyPI) refuses each of them, for
# the slash, the dot and the colon. bee-queue 2.0.0 (npm), arq 0.28.0 and saq 0.26.4 (PyPI) take all.
# Guess: BullMQ refuses whatever has a colon, the rest take all.
# Seen: two colons are the form of an id of its own in BullMQ: what works with a registry on a port fails with one that has none.
source "$(dirname "$0")/lib/setup.sh"
redis-server --version 2>/dev/null | grep -q 'v=7\.0\.' || { apt-get update -q && apt-get install -qy --no-install-recommends redis-server; } >/dev/null 2>&1
node_with bullmq@6.7.0 ioredis@5.8.2 bee-queue@2.0.0
python_with rq==3.0.0 arq==0.28.0 saq==0.26.4 redis==5.3.1 typing_extensions==4.16.0
port=$(free_port)
redis-server --port "$port" --save '' --dir "$folder" >/dev/null &
servers+=($!)
until redis-cli -p "$port" ping >/dev/null 2>&1; do sleep 0.1; done
cat >"$folder/put.mjs" <<'JS'
const [name, port, id] = process.argv.slice(2);
const ways = {
  async BullMQ() {
    const { Queue } = await import("bullmq");
    return (await new Queue("a", { connection: { port: +port } }).add("clean", {}, { jobId: id })).id;
  },
  async "bee-queue"() {
    const Queue = (await import("bee-queue")).default;
    return (await new Queue("b", { redis: { port: +port } }).createJob({}).setId(id).save()).id;
  },
};
console.log((await ways[name]().catch(() => "")) === id ? "taken" : "refused");
process.exit(0);
JS
cat >"$folder/put.py" <<'PY'
import asyncio
import sys

name, port, key = sys.argv[1], int(sys.argv[2]), sys.argv[3]


async def put():
    if name == "rq":
        from redis import Redis
        from rq import Queue

        return Queue("c", connection=Redis(port=port)).enqueue(print, job_id=key).id
    if name == "arq":
        from arq import create_pool
        from arq.connections import RedisSettings

        return (await (await create_pool(RedisSettings(port=port))).enqueue_job("clean", _job_id=key)).job_id
    from saq import Queue

    return (await Queue.from_url(f"redis://127.0.0.1:{port}").enqueue("clean", key=key)).key


try:
    print("taken" if asyncio.run(put()) == key else "another")
except ValueError:
    print("refused")
PY
put() {
  case $1 in
    BullMQ | bee-queue) (cd "$folder" && node --no-warnings put.mjs "$1" "$port" "$2" 2>/dev/null) ;;
    *) python -W ignore "$folder/put.py" "$1" "$port" "$2" 2>/dev/null ;;
  esac
}
for id in web:v1 example.com/web:v1 web@sha256:00; do same "BullMQ, $id" "$(put BullMQ $id)" refused; done
for id in localhost:5000/web:v1 localhost:5000/web@sha256:00 web:v1@sha256:00; do same "BullMQ, $id" "$(put BullMQ $id)" taken; done
for id in web:v1 localhost:5000/web:v1 example.com/web; do same "rq, $id" "$(put rq $id)" refused; done
same "rq, web" "$(put rq web)" taken
for name in bee-queue arq saq; do
  for id in web:v1 localhost:5000/web:v1; do same "$name, $id" "$(put $name $id)" taken; done
done

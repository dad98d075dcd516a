#!/usr/bin/env bash
# burner-redis 0.1.7 (PyPI), the Redis in the process that pydocket 0.27.0 offers for tests: its scripts run in Lua 5.4,
# not 5.1, without cjson, and may use globals. `SET EX 0` is taken.
# Guess: Lua 5.1, with the functions of Redis.
# Seen: 10 / 2 makes the key "n:5.0", in Redis 7.0.15 "n:5"; a misspelt name is nil, in Redis an error. A script that passes its tests there has other keys in production.
source "$(dirname "$0")/lib/setup.sh"
redis-server --version 2>/dev/null | grep -q 'v=7\.0\.' || { apt-get update -q && apt-get install -qy --no-install-recommends redis-server; } >/dev/null 2>&1
python_with burner-redis==0.1.7 redis==8.1.0
port=$(free_port)
redis-server --port "$port" --save '' --dir "$folder" >/dev/null &
servers+=($!)
cat >"$folder/by.py" <<'PY'
import asyncio
import sys

import redis
from burner_redis import BurnerRedis

name, port, *scripts = sys.argv[1:]


async def main():
    store = BurnerRedis() if name == "burner" else redis.asyncio.Redis(port=int(port))
    found = None
    for script in scripts:
        try:
            if script == "EX 0":
                found = await store.set("key", "value", ex=0)
            else:
                found = await store.eval(script, 0)
        except redis.ResponseError:
            found = "error"
    print(found.decode() if isinstance(found, bytes) else found)


asyncio.run(main())
PY
until redis-cli -p "$port" ping >/dev/null 2>&1; do sleep 0.1; done
by() { python "$folder/by.py" "$1" "$port" "${@:2}"; }
# differs WHAT AT_BURNER AT_REDIS SCRIPT...
differs() {
  same "burner-redis, $1" "$(by burner "${@:4}")" "$2"
  same "Redis, $1" "$(by redis "${@:4}")" "$3"
}
differs "version" "Lua 5.4" "Lua 5.1" 'return _VERSION'
differs "a key" n:5.0 n:5 'return "n:" .. 10 / 2'
differs "a forgotten local" 7 error 'left = 7 return left'
differs "a misspelt name" None error 'local left = 7 return lfet'
differs "cjson" error '{"a":1}' 'return cjson.encode({a = 1})'
differs "SET EX 0" True error 'EX 0'

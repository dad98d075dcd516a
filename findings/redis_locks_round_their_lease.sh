#!/usr/bin/env bash
# A lock in Redis for 1.9 seconds: redis-py 8.1.0 and pottery 3.0.1 hold it for 1.9, python-redis-lock 4.0.1 for one second,
# and refuses half a second. sherlock 0.4.1 raises an error, and yet the lock is then taken, without an end.
# For 0 seconds: redis-py and python-redis-lock hold it for ever; sherlock tells that it has the lock, and so does the next one;
# pottery never gets it.
# Guess: 1.9 seconds but by sherlock, which raises an error; nothing is left of it.
# Seen: after the error nobody gets that lock again; and two clean-ups can run at once in the last 0.9 seconds of a lease.
source "$(dirname "$0")/lib/setup.sh"
redis-server --version 2>/dev/null | grep -q 'v=7\.0\.' || { apt-get update -q && apt-get install -qy --no-install-recommends redis-server; } >/dev/null 2>&1
python_with redis==8.1.0 python-redis-lock==4.0.1 sherlock==0.4.1 pottery==3.0.1
port=$(free_port)
redis-server --port "$port" --save '' --dir "$folder" >/dev/null &
servers+=($!)
until redis-cli -p "$port" ping >/dev/null 2>&1; do sleep 0.1; done
cat >"$folder/by.py" <<'PY'
import sys

import redis

name, port = sys.argv[1], int(sys.argv[3])
seconds = float(sys.argv[2]) if "." in sys.argv[2] else int(sys.argv[2])
store = redis.Redis(port=port)
store.flushall()


def taken():
    if name == "redis-py":
        return store.lock("a", timeout=seconds).acquire(blocking=False)
    if name == "python-redis-lock":
        from redis_lock import Lock

        return Lock(store, "a", expire=seconds).acquire(blocking=False)
    if name == "sherlock":
        from sherlock import RedisLock

        return RedisLock("a", client=store, expire=seconds).acquire(blocking=False)
    from pottery import Redlock

    return Redlock(key="a", masters={store}, auto_release_time=seconds).acquire(blocking=False)


def attempt():
    try:
        return "yes" if taken() else "no"
    except redis.ResponseError:
        return "error"


first = attempt()
left = [store.pttl(key) for key in store.keys()]
held = ["for ever" if each < 0 else f"{each / 1000:.1f} s" for each in left]
print(first, *held or ["nothing"], "then", attempt())
PY
# lock NAME SECONDS: whether it is taken, for how long, and whether the next one gets it meanwhile.
lock() { python -W ignore "$folder/by.py" "$1" "$2" "$port" 2>/dev/null; }
for name in redis-py pottery; do same "$name, 1.9" "$(lock $name 1.9)" "yes 1.9 s then no"; done
same "python-redis-lock, 1.9" "$(lock python-redis-lock 1.9)" "yes 1.0 s then no"
same "sherlock, 1.9" "$(lock sherlock 1.9)" "error for ever then no"
for name in redis-py pottery; do same "$name, 0.5" "$(lock $name 0.5)" "yes 0.5 s then no"; done
same "python-redis-lock, 0.5" "$(lock python-redis-lock 0.5)" "error nothing then error"
for name in redis-py python-redis-lock; do same "$name, 0" "$(lock $name 0)" "yes for ever then no"; done
same "sherlock, 0" "$(lock sherlock 0)" "yes nothing then yes"
same "pottery, 0" "$(lock pottery 0)" "no nothing then no"

#!/usr/bin/env bash
# A generator of a list's pages, decorated to be retried, whose second page fails once: stamina 26.1.0 begins again behind
# what it has already given, so that the first page comes twice, with sync and async generators alike. tenacity 9.2.1 and
# backoff 2.2.1 retry nothing: the error is raised at the second page, and the decorator says nothing of it.
# Guess: none of them retries, since an error is raised when the pages are walked through and not when they are asked for.
# Seen: 1, 1, 2 by stamina. A count of tags or bytes over its pages is too high whenever a server was busy.
source "$(dirname "$0")/lib/setup.sh"
python_with stamina==26.1.0 tenacity==9.2.1 backoff==2.2.1
cat >"$folder/by.py" <<'PY'
import asyncio
import sys

name, kind = sys.argv[1:]
if name == "stamina":
    from stamina import retry

    retried = retry(on=ConnectionError, attempts=3, wait_initial=0.01)
elif name == "tenacity":
    from tenacity import retry, stop_after_attempt

    retried = retry(stop=stop_after_attempt(3))
else:
    from backoff import constant, on_exception

    retried = on_exception(constant, ConnectionError, max_tries=3, interval=0.01)
begun, seen = [], []


def pages():
    begun.append(1)
    yield 1
    if len(begun) == 1:
        raise ConnectionError
    yield 2


@retried
def sync_pages():
    yield from pages()


@retried
async def async_pages():
    for page in pages():
        yield page


async def walk():
    if kind == "sync":
        for page in sync_pages():
            seen.append(page)
    else:
        async for page in async_pages():
            seen.append(page)


try:
    asyncio.run(walk())
except ConnectionError:
    seen.append("error")
print(*seen)
PY
for kind in sync async; do
  same "stamina, $kind" "$(python -W ignore "$folder/by.py" stamina $kind 2>/dev/null)" "1 1 2"
  for name in tenacity backoff; do same "$name, $kind" "$(python -W ignore "$folder/by.py" $name $kind 2>/dev/null)" "1 error"; done
done

#!/usr/bin/env bash
# How often a task runs that always fails, by task engines of PyPI told "three": procrastinate 3.10.0 with max_attempts=3 runs it
# four times; taskiq 0.13.0 with max_retries=3 three times. huey 3.5.4 (retries=3) and dramatiq 2.2.1 (max_retries=3): four times.
# Guess: three attempts are three runs, and three retries four.
# Seen: it is the other way round in procrastinate and in taskiq. Told 1, taskiq does not retry, and procrastinate does.
source "$(dirname "$0")/lib/setup.sh"
python_with procrastinate==3.10.0 taskiq==0.13.0 huey==3.5.4 dramatiq==2.2.1
cat >"$folder/by.py" <<'PY'
import asyncio
import logging
import sys
import time

logging.disable(logging.CRITICAL)
name, times = sys.argv[1], int(sys.argv[2])
runs = []


def fail():
    runs.append(1)
    raise ValueError


async def failing():
    fail()


async def procrastinate():
    import procrastinate
    from procrastinate.testing import InMemoryConnector

    app = procrastinate.App(connector=InMemoryConnector())
    strategy = procrastinate.RetryStrategy(max_attempts=times, wait=0)
    task = app.task(name="failing", retry=strategy)(failing)
    async with app.open_async():
        await task.defer_async()
        for _ in range(times + 3):
            await app.run_worker_async(wait=False, install_signal_handlers=False)


async def taskiq():
    from taskiq import InMemoryBroker, SimpleRetryMiddleware

    broker = InMemoryBroker().with_middlewares(SimpleRetryMiddleware())
    task = broker.task("failing", retry_on_error=True, max_retries=times)(failing)
    await broker.startup()
    await task.kiq()
    await asyncio.sleep(2)


async def huey():
    from huey import MemoryHuey

    MemoryHuey(immediate=True).task(retries=times)(fail)()


async def dramatiq():
    import dramatiq
    from dramatiq.brokers.stub import StubBroker

    broker = StubBroker()
    dramatiq.set_broker(broker)
    task = dramatiq.actor(max_retries=times, min_backoff=1, max_backoff=2)(fail)
    worker = dramatiq.Worker(broker, worker_timeout=50)
    worker.start()
    task.send()
    time.sleep(3)
    worker.stop()


asyncio.run({"procrastinate": procrastinate, "taskiq": taskiq, "huey": huey, "dramatiq": dramatiq}[name]())
print(len(runs))
PY
runs() { python -W ignore "$folder/by.py" "$1" "$2" 2>/dev/null; }
for name in procrastinate huey dramatiq; do same "$name, 3" "$(runs $name 3)" 4; done
same "taskiq, 3" "$(runs taskiq 3)" 3
same "procrastinate, 1" "$(runs procrastinate 1)" 2
same "taskiq, 1" "$(runs taskiq 1)" 1

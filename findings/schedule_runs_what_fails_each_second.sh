#!/usr/bin/env bash
# schedule 1.2.2 (PyPI): a job that raises, as an hourly clean-up while the registry is away, keeps its time. In the loop of its
# documents, with the error caught, it is run again each second; and no job that was due after it runs at all.
# Guess: it runs again at once; that jobs behind it do not run, nobody had asked.
# Seen: so. APScheduler 3.11.3 runs it an hour later, and the other one as well.
source "$(dirname "$0")/lib/setup.sh"
python_with schedule==1.2.2 APScheduler==3.11.3
# In four seconds: the runs of an hourly job that fails, and of one that is due just after it.
by_schedule() {
  python - <<'PY'
import datetime
import time

import schedule

runs = {"failing": 0, "other": 0}


def failing():
    runs["failing"] += 1
    raise OSError


def other():
    runs["other"] += 1


now = datetime.datetime.now()
schedule.every().hour.do(failing).next_run = now - datetime.timedelta(seconds=2)
schedule.every().hour.do(other).next_run = now - datetime.timedelta(seconds=1)
for _ in range(4):
    try:
        schedule.run_pending()
    except OSError:
        pass
    time.sleep(1)
print(*runs.values())
PY
}
by_apscheduler() {
  python - <<'PY'
import datetime
import logging
import time

from apscheduler.schedulers.background import BackgroundScheduler

logging.disable()
runs = {"failing": 0, "other": 0}


def failing():
    runs["failing"] += 1
    raise OSError


def other():
    runs["other"] += 1


scheduler = BackgroundScheduler(timezone="UTC")
now = datetime.datetime.now(datetime.UTC)
for job in (failing, other):
    scheduler.add_job(job, "interval", hours=1, next_run_time=now)
scheduler.start()
time.sleep(4)
scheduler.shutdown()
print(*runs.values())
PY
}
same "schedule: the one that fails, the other one" "$(by_schedule)" "4 0"
same "APScheduler" "$(by_apscheduler)" "1 1"

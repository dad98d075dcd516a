#!/usr/bin/env bash
# cron-converter 2.0.2 and crontab 1.0.5 (PyPI): `0 0 13 * 5` is Friday the 13th alone, where cronsim 2.8, croniter 7.0.0
# and pycron 3.3.0, like cron itself, run it on every Friday and on every 13th.
# Guess: that `crontab` and APScheduler differ is known; cron-converter runs it as cron does, pycron does not.
# Seen: the other way round. From June 2026 on, three of them run 63 times within a year, the two once.
source "$(dirname "$0")/lib/setup.sh"
python_with cron-converter==2.0.2 crontab==1.0.5 cronsim==2.8 croniter==7.0.0 pycron==3.3.0
cat >"$folder/by.py" <<'PY'
import sys
from datetime import UTC, datetime, timedelta
from itertools import takewhile

text, start = "0 0 13 * 5", datetime(2026, 6, 1, tzinfo=UTC)
end = start + timedelta(days=365)


def walk(step):
    moment = start
    while True:
        moment = step(moment)
        yield moment


def days():
    return (start + timedelta(days=number) for number in range(1, 365))


def by(name):
    if name == "cronsim":
        from cronsim import CronSim

        return CronSim(text, start)
    if name == "croniter":
        from croniter import croniter

        found = croniter(text, start)
        return walk(lambda _: found.get_next(datetime))
    if name == "cron-converter":
        from cron_converter import Cron

        schedule = Cron(text).schedule(start)
        return walk(lambda _: schedule.next())
    if name == "crontab":
        from crontab import CronTab

        table = CronTab(text)
        return walk(lambda at: table.next(at, default_utc=True, return_datetime=True))
    import pycron

    return (day for day in days() if pycron.is_now(text, day))


print(sum(1 for _ in takewhile(lambda at: at < end, by(sys.argv[1]))))
PY
for name in cronsim croniter pycron; do
  same "$name" "$(python "$folder/by.py" $name)" 63
done
for name in cron-converter crontab; do
  same "$name" "$(python "$folder/by.py" $name)" 1
done

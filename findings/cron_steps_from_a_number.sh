#!/usr/bin/env bash
# cron-converter 2.0.2 (PyPI) and cron-schedule 6.0.0 (npm): `5/15 * * * *` is minute 5 alone, the step is dropped.
# cronsim 2.8, croniter 7.0.0, crontab 1.0.5 and cron-parser 5.10.5 run it at 5, 20, 35 and 50; croner 11.0.0 refuses it.
# Guess: cronsim refuses it, all others run four times an hour.
# Seen: once an hour by two of them, without a word. What was refused is croner's.
source "$(dirname "$0")/lib/setup.sh"
python_with cron-converter==2.0.2 cronsim==2.8 croniter==7.0.0 crontab==1.0.5
node_with cron-schedule@6.0.0 cron-parser@5.10.5 croner@11.0.0
cat >"$folder/by.py" <<'PY'
import sys
from datetime import UTC, datetime
from itertools import islice

text, start = "5/15 * * * *", datetime(2026, 6, 1, 12, tzinfo=UTC)
if sys.argv[1] == "cronsim":
    from cronsim import CronSim

    found = islice(CronSim(text, start), 2)
elif sys.argv[1] == "croniter":
    from croniter import croniter

    walk = croniter(text, start)
    found = [walk.get_next(datetime) for _ in range(2)]
elif sys.argv[1] == "crontab":
    from crontab import CronTab

    first = CronTab(text).next(start, default_utc=True, return_datetime=True)
    found = [first, CronTab(text).next(first, default_utc=True, return_datetime=True)]
else:
    from cron_converter import Cron

    schedule = Cron(text).schedule(start)
    found = [schedule.next(), schedule.next()]
print(*(each.strftime("%H:%M") for each in found))
PY
cat >"$folder/by.mjs" <<'JS'
import { Cron } from "croner";
import { CronExpressionParser } from "cron-parser";
import { parseCronExpression } from "cron-schedule";
const [text, start] = ["5/15 * * * *", new Date("2026-06-01T12:00:00Z")];
const by = {
  croner: () => new Cron(text).nextRuns(2, start),
  "cron-schedule": () => parseCronExpression(text).getNextDates(2, start),
  "cron-parser": () => {
    const walk = CronExpressionParser.parse(text, { currentDate: start, tz: "UTC" });
    return [walk.next().toDate(), walk.next().toDate()];
  },
};
try {
  console.log(...by[process.argv[2]]().map((each) => each.toISOString().slice(11, 16)));
} catch {
  console.log("refused");
}
JS
for name in cronsim croniter crontab; do same "$name" "$(python "$folder/by.py" $name)" "12:05 12:20"; done
same cron-converter "$(python "$folder/by.py" cron-converter)" "12:05 13:05"
same cron-parser "$(TZ=UTC node "$folder/by.mjs" cron-parser)" "12:05 12:20"
same cron-schedule "$(TZ=UTC node "$folder/by.mjs" cron-schedule)" "12:05 13:05"
same croner "$(node "$folder/by.mjs" croner)" refused

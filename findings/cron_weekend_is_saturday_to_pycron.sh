#!/usr/bin/env bash
# pycron 3.3.0 (PyPI), by which taskiq 0.13.0 runs its schedules: `sat-sun` and `6-7` are Saturday alone, `fri-mon` leaves out
# Sunday and Monday, and `L`, `22-2` or `nov-feb` are never. None of it is an error, so that such a task is silently not run.
# Of others: cronsim 2.8 and cron-parser 5.10.6 (npm) refuse `sat-sun`, which croniter 7.0.0 and croner 11.0.1 (npm) read.
# Guess: a range that goes backwards never runs; cron-parser reads `sat-sun`, croner does not.
# Seen: `sat-sun` runs, but on Saturdays; of the two in JavaScript it is the other way round, and croner refuses `fri-mon`.
source "$(dirname "$0")/lib/setup.sh"
python_with pycron==3.3.0 taskiq==0.13.0 croniter==7.0.0 cronsim==2.8
node_with croner@11.0.1 cron-parser@5.10.6
cat >"$folder/by.mjs" <<'JS'
import { CronExpressionParser } from "cron-parser";
import { Cron } from "croner";

const [name, line] = process.argv.slice(2);
const from = new Date("2026-06-01T00:00:00Z");
const ways = {
  croner: () => new Cron(line, { timezone: "UTC" }).nextRuns(4, from),
  "cron-parser": () => CronExpressionParser.parse(line, { currentDate: from, tz: "UTC" }).take(4).map((each) => each.toDate()),
};
try {
  console.log(ways[name]().map((each) => "Sun Mon Tue Wed Thu Fri Sat".split(" ")[each.getUTCDay()]).join(" "));
} catch {
  console.log("error");
}
JS
cat >"$folder/by.py" <<'PY'
import sys
from datetime import datetime, timedelta, timezone
from itertools import islice

name, line = sys.argv[1:]
start = datetime(2026, 6, 1, tzinfo=timezone.utc)
hours = (start + timedelta(hours=number) for number in range(1, 24 * 365))


def runs():
    if name == "pycron":
        import pycron

        return (hour for hour in hours if pycron.is_now(line, hour))
    if name == "taskiq":
        from taskiq.cli.scheduler.run import is_cron_task_now

        return (hour for hour in hours if is_cron_task_now(line, hour))
    if name == "cronsim":
        from cronsim import CronSim

        return CronSim(line, start)
    from croniter import croniter

    each = croniter(line, start)
    return (each.get_next(datetime) for _ in range(4))


try:
    print(*(run.strftime("%a") for run in islice(runs(), 4)))
except Exception:
    print("error")
PY
by() { if [[ $1 == cron* && $1 != croniter && $1 != cronsim ]]; then (cd "$folder" && node by.mjs "$1" "$2"); else python "$folder/by.py" "$1" "$2"; fi; }
for name in pycron taskiq; do
  for days in sat-sun 6-7; do same "$name, $days" "$(by $name "0 3 * * $days")" "Sat Sat Sat Sat"; done
  same "$name, fri-mon" "$(by $name '0 3 * * fri-mon')" "Fri Sat Fri Sat"
  for line in '0 3 L * *' '0 22-2 * * *' '0 3 1 nov-feb *'; do same "$name, $line" "$(by $name "$line")" ""; done
done
for name in croniter croner; do same "$name, sat-sun" "$(by $name '0 3 * * sat-sun')" "Sat Sun Sat Sun"; done
for name in cronsim cron-parser; do same "$name, sat-sun" "$(by $name '0 3 * * sat-sun')" error; done
for name in cronsim cron-parser; do same "$name, 6-7" "$(by $name '0 3 * * 6-7')" "Sat Sun Sat Sun"; done
same "croniter, fri-mon" "$(by croniter '0 3 * * fri-mon')" "Mon Fri Sat Sun"
same "croner, fri-mon" "$(by croner '0 3 * * fri-mon')" error

#!/usr/bin/env bash
# croniter 7.0.0, APScheduler 3.11.3, robfig/cron 3.0.1 (Kubernetes' CronJobs): a daily `30 2 * * *` runs twice in the
# night in which clocks go back; cronsim 2.8, crontab 1.0.5 and Node's cron-parser 5.10.5 and croner 11.0.0 run it once.
# When clocks go forward, it comes at 03:00, 03:30 (or 02:30 of winter's time, the same moment), or not at all.
# Guess: once in autumn by all but robfig/cron; in spring at 03:30 by croniter and croner.
# Seen: twice by three of them; 03:00 by croniter and croner. Who moves a job from one scheduler to another moves it.
source "$(dirname "$0")/lib/setup.sh"
python_with cronsim==2.8 croniter==7.0.0 apscheduler==3.11.3 crontab==1.0.5
node_with cron-parser@5.10.5 croner@11.0.0
go_program robfig github.com/robfig/cron/v3 v3.0.1 <<'GO'
package main

import (
	"fmt"
	"os"
	"time"

	"github.com/robfig/cron/v3"
)

func main() {
	zone, _ := time.LoadLocation("Europe/Berlin")
	next, _ := time.ParseInLocation("2006-01-02 15:04", os.Args[1], zone)
	schedule, _ := cron.ParseStandard("30 2 * * *")
	for range 2 {
		next = schedule.Next(next)
		fmt.Print(next.UTC().Format("02T15:04 "))
	}
}
GO
cat >"$folder/by.py" <<'PY'
import sys
from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

zone, text = ZoneInfo("Europe/Berlin"), "30 2 * * *"
start = datetime.fromisoformat(sys.argv[2]).replace(tzinfo=zone)
if sys.argv[1] == "cronsim":
    from cronsim import CronSim

    found = islice(CronSim(text, start), 2)
elif sys.argv[1] == "croniter":
    from croniter import croniter

    walk = croniter(text, start)
    found = [walk.get_next(datetime) for _ in range(2)]
elif sys.argv[1] == "crontab":
    from crontab import CronTab

    first = CronTab(text).next(start, default_utc=False, return_datetime=True)
    found = [first, CronTab(text).next(first, default_utc=False, return_datetime=True)]
else:
    from apscheduler.triggers.cron import CronTrigger

    trigger = CronTrigger.from_crontab(text, timezone=zone)
    first = trigger.get_next_fire_time(None, start)
    found = [first, trigger.get_next_fire_time(first, first + timedelta(seconds=1))]
print(*(each.astimezone(UTC).strftime("%dT%H:%M") for each in found))
PY
cat >"$folder/by.mjs" <<'JS'
import { Cron } from "croner";
import { CronExpressionParser } from "cron-parser";
const [, , name, start] = process.argv;
const [text, zone, from] = ["30 2 * * *", "Europe/Berlin", new Date(start)];
let found;
if (name === "croner") found = new Cron(text, { timezone: zone }).nextRuns(2, from);
else {
  const walk = CronExpressionParser.parse(text, { currentDate: from, tz: zone });
  found = [walk.next().toDate(), walk.next().toDate()];
}
console.log(...found.map((each) => each.toISOString().slice(8, 16)));
JS
runs() {
  case $1 in
    robfig) "$folder/bin/robfig" "$2 12:00" | sed 's/ $//' ;;
    cron-parser | croner) node "$folder/by.mjs" "$1" "${2}T11:00:00Z" ;;
    *) python "$folder/by.py" "$1" "$2 12:00" ;;
  esac
}
# In UTC. Clocks go back at 01:00 on 25 October, forward at 01:00 on 29 March.
for name in cronsim crontab cron-parser croner; do
  same "$name, autumn" "$(runs $name 2026-10-24)" "25T00:30 26T01:30"
done
for name in croniter apscheduler robfig; do
  same "$name, autumn" "$(runs $name 2026-10-24)" "25T00:30 25T01:30"
done
for name in cronsim croniter croner; do
  same "$name, spring" "$(runs $name 2026-03-28)" "29T01:00 30T00:30"
done
for name in cron-parser apscheduler crontab; do
  same "$name, spring" "$(runs $name 2026-03-28)" "29T01:30 30T00:30"
done
same "robfig, spring" "$(runs robfig 2026-03-28)" "30T00:30 31T00:30"

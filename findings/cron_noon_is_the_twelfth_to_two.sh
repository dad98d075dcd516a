#!/usr/bin/env bash
# A cron line of six fields, `0 0 12 * * *`: noon of each day to robfig/cron 3.0.1 (WithSeconds), go-quartz 0.15.2, cronsim 2.8
# and croner 11.0.1; midnight of the twelfth of each month to hashicorp/cronexpr 1.1.3, whose sixth field is a year, and each
# second of that minute to croniter 7.0.0, whose sixth field has the seconds. `0 0 12 ? * 1` is Sunday to
# go-quartz, Monday to robfig/cron and croner.
# Guess: cronexpr has the seconds first, as all others in Go.
# Seen: twelve runs a year for 365, without an error: each of the three places of a sixth field takes such a line.
source "$(dirname "$0")/lib/setup.sh"
node_with croner@11.0.1
python_with cronsim==2.8 croniter==7.0.0
mkdir "$folder/six"
cat >"$folder/six/go.mod" <<'MOD'
module example.test/six

go 1.24

require (
	github.com/hashicorp/cronexpr v1.1.3
	github.com/reugn/go-quartz v0.15.2
	github.com/robfig/cron/v3 v3.0.1
)
MOD
cat >"$folder/six/main.go" <<'GO'
package main

import (
	"fmt"
	"os"
	"time"

	"github.com/hashicorp/cronexpr"
	"github.com/reugn/go-quartz/quartz"
	"github.com/robfig/cron/v3"
)

func main() {
	line := os.Args[2]
	var next func(time.Time) time.Time
	switch os.Args[1] {
	case "cronexpr":
		next = cronexpr.MustParse(line).Next
	case "go-quartz":
		trigger, err := quartz.NewCronTriggerWithLoc(line, time.UTC)
		if err != nil {
			panic(err)
		}
		next = func(from time.Time) time.Time {
			found, _ := trigger.NextFireTime(from.UnixNano())
			return time.Unix(0, found).UTC()
		}
	case "robfig":
		schedule, err := cron.NewParser(cron.Second | cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow).Parse(line)
		if err != nil {
			panic(err)
		}
		next = schedule.Next
	}
	at := time.Date(2026, 6, 2, 0, 0, 0, 0, time.UTC)
	for range 2 {
		at = next(at)
		fmt.Print(at.Format("01-02 15:04:05; "))
	}
	fmt.Println()
}
GO
(cd "$folder/six" && GOFLAGS=-mod=mod go build -o "$folder/bin/six" . 2>/dev/null)
by_python() {
  python -c '
import sys
from datetime import datetime
from itertools import islice
from croniter import croniter
from cronsim import CronSim
name, line = sys.argv[1:]
start = datetime(2026, 6, 2)
if name == "cronsim":
    runs = list(islice(CronSim(line, start), 2))
else:
    each = croniter(line, start)
    runs = [each.get_next(datetime) for _ in range(2)]
print("".join(run.strftime("%m-%d %H:%M:%S; ") for run in runs))' "$@"
}
by_node() {
  (cd "$folder" && node -e '
const { Cron } = require("croner");
const runs = new Cron(process.argv[1], { timezone: "UTC" }).nextRuns(2, new Date("2026-06-02T00:00:00Z"));
console.log(runs.map((run) => `${run.toISOString().slice(5, 19).replace("T", " ")}; `).join(""));' "$1")
}
line="0 0 12 * * *"
noon="06-02 12:00:00; 06-03 12:00:00; "
for name in robfig go-quartz; do same "$name" "$("$folder/bin/six" $name "$line")" "$noon"; done
same "cronsim" "$(by_python cronsim "$line")" "$noon"
same "croner" "$(by_node "$line")" "$noon"
same "cronexpr" "$("$folder/bin/six" cronexpr "$line")" "06-12 00:00:00; 07-12 00:00:00; "
same "croniter" "$(by_python croniter "$line")" "06-12 00:00:00; 06-12 00:00:01; "
line="0 0 12 ? * 1"
same "go-quartz, day of the week 1" "$("$folder/bin/six" go-quartz "$line")" "06-07 12:00:00; 06-14 12:00:00; "
same "robfig" "$("$folder/bin/six" robfig "$line")" "06-08 12:00:00; 06-15 12:00:00; "
same "croner" "$(by_node "$line")" "06-08 12:00:00; 06-15 12:00:00; "

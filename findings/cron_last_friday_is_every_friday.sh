#!/usr/bin/env bash
# cron-schedule 6.0.0 (npm): `0 0 * * 5L`, the last Friday of a month, is every Friday; `1#1`, its first Monday, every Monday;
# `15W`, the working day next to the 15th, the 15th. It refuses what does not begin with a digit, such as `L`.
# croner 11.0.1, cron-parser 5.10.6 (npm), cronsim 2.8 and croniter 7.0.0 (PyPI) read them as meant, or refuse them.
# Guess: an error, as from other libraries that lack them.
# Seen: four runs a month or five instead of one: what follows the number is left out.
source "$(dirname "$0")/lib/setup.sh"
node_with cron-schedule@6.0.0 croner@11.0.1 cron-parser@5.10.6
python_with cronsim==2.8 croniter==7.0.0
cat >"$folder/by.mjs" <<'JS'
import { CronExpressionParser } from "cron-parser";
import { parseCronExpression } from "cron-schedule";
import { Cron } from "croner";

const [name, line] = process.argv.slice(2);
const from = new Date("2026-06-02T00:00:00Z");
const ways = {
  "cron-schedule": () => parseCronExpression(line).getNextDates(3, from),
  croner: () => new Cron(line, { timezone: "UTC" }).nextRuns(3, from),
  "cron-parser": () => CronExpressionParser.parse(line, { currentDate: from, tz: "UTC" }).take(3).map((each) => each.toDate()),
};
try {
  console.log(ways[name]().map((each) => each.toISOString().slice(5, 10)).join(" "));
} catch {
  console.log("error");
}
JS
by_node() { (cd "$folder" && TZ=UTC node by.mjs "$1" "0 0 $2"); }
by_python() {
  python -c '
import sys
from datetime import datetime
from itertools import islice
name, line = sys.argv[1:]
start = datetime(2026, 6, 2)
try:
    if name == "cronsim":
        from cronsim import CronSim
        found = list(islice(CronSim(line, start), 3))
    else:
        from croniter import croniter
        each = croniter(line, start)
        found = [each.get_next(datetime) for _ in range(3)]
    print(*(run.strftime("%m-%d") for run in found))
except Exception:
    print("error")' "$1" "0 0 $2"
}
last="06-26 07-31 08-28"
first="07-06 08-03 09-07"
same "cron-schedule, 5L" "$(by_node cron-schedule '* * 5L')" "06-05 06-12 06-19"
for name in croner cron-parser; do same "$name, 5L" "$(by_node $name '* * 5L')" "$last"; done
same "cronsim, 5L" "$(by_python cronsim '* * 5L')" "$last"
same "croniter, 5L" "$(by_python croniter '* * 5L')" error
same "cron-schedule, 1#1" "$(by_node cron-schedule '* * 1#1')" "06-08 06-15 06-22"
for name in croner cron-parser; do same "$name, 1#1" "$(by_node $name '* * 1#1')" "$first"; done
for name in cronsim croniter; do same "$name, 1#1" "$(by_python $name '* * 1#1')" "$first"; done
same "cron-schedule, 15W" "$(by_node cron-schedule '15W * *')" "06-15 07-15 08-15"
same "croner, 15W" "$(by_node croner '15W * *')" "06-15 07-15 08-14"
same "cron-parser, 15W" "$(by_node cron-parser '15W * *')" error
same "cron-schedule, L" "$(by_node cron-schedule 'L * *')" error

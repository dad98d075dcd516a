#!/usr/bin/env bash
# cronsim 2.8: where clocks go back by half an hour (Australia/Lord_Howe), a job of every second hour misses a run: after
# 00:00 comes 04:00. The same schedule walked backwards has the run at 02:00, and so has croniter 7.0.0.
# Guess: not asked; 02:00, as both directions give everywhere else.
# Seen: 00:00, 04:00, 06:00 forwards, and 06:00, 04:00, 02:00 backwards.
source "$(dirname "$0")/lib/setup.sh"
python_with cronsim==2.8 croniter==7.0.0
walk() {
  python -c '
import sys
from datetime import datetime
from itertools import islice
from zoneinfo import ZoneInfo
from croniter import croniter
from cronsim import CronSim
zone = ZoneInfo("Australia/Lord_Howe")
before = datetime(2026, 4, 4, 23, 50, tzinfo=zone)
after = datetime(2026, 4, 5, 7, 0, tzinfo=zone)
other = croniter("0 */2 * * *", before)
found = {
    "forwards": lambda: islice(CronSim("0 */2 * * *", before), 3),
    "backwards": lambda: islice(CronSim("0 */2 * * *", after, reverse=True), 3),
    "croniter": lambda: [other.get_next(datetime) for _ in range(3)],
}[sys.argv[1]]()
print(*(each.strftime("%H:%M") for each in found))' "$1"
}
same "cronsim, forwards" "$(walk forwards)" "00:00 04:00 06:00"
same "cronsim, backwards" "$(walk backwards)" "06:00 04:00 02:00"
same "croniter" "$(walk croniter)" "00:00 02:00 04:00"

#!/usr/bin/env bash
# rq-scheduler 0.14.0 (PyPI): `cron("0 2 * * *", use_local_timezone=False)`, its default, runs at 02:00 of the machine's zone, as
# with True; the option changes only how the time is written.
# Guess: 02:00 UTC; 02:00 local with True.
# Seen: in Bogota 07:00 UTC with both. Where containers move from UTC to a zone, nightly jobs move, too.
source "$(dirname "$0")/lib/setup.sh"
python_with rq-scheduler==0.14.0 rq==2.6.1 redis==5.3.1
redis-server --version 2>/dev/null | grep -q 'v=7\.0\.' || { apt-get update -q && apt-get install -qy --no-install-recommends redis-server; } >/dev/null 2>&1
port=$(free_port)
redis-server --port "$port" --save '' --dir "$folder" >/dev/null &
servers+=($!)
until redis-cli -p "$port" ping >/dev/null 2>&1; do sleep 0.1; done
# hour ZONE LOCAL: of the next run, in UTC.
hour() {
  TZ=$1 python -W ignore -c '
import sys
from redis import Redis
from rq_scheduler import Scheduler
scheduler = Scheduler(queue_name=sys.argv[2] + sys.argv[3], connection=Redis(port=int(sys.argv[1])))
job = scheduler.cron("0 2 * * *", print, use_local_timezone=sys.argv[3] == "True")
found = dict(scheduler.get_jobs(with_times=True))[job]
job.delete()
scheduler.cancel(job)
print(f"{found:%H:%M}")' "$port" x "$2"
}
for local in False True; do
  same "in UTC, use_local_timezone=$local" "$(hour UTC $local)" 02:00
  same "in Bogota, five hours behind, use_local_timezone=$local" "$(hour America/Bogota $local)" 07:00
done

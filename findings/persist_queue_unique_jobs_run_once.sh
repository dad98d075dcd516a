#!/usr/bin/env bash
# persist-queue 1.1.0 (PyPI), UniqueAckQ: a job that has been done and acknowledged cannot be put again: `put` returns, the queue
# stays empty. Only when what is acknowledged has been cleared, which nothing does by itself, is it taken.
# SQLiteAckQueue: who opens the file while another works gets that one's job, too.
# Guess: unique is among what waits or is being worked on; a second worker gets the next job.
# Seen: a daily clean-up of one repository runs on the first day alone; two workers run one job at once.
source "$(dirname "$0")/lib/setup.sh"
python_with persist-queue==1.1.0
by() {
  python -W ignore -c '
import sys
import persistqueue
how, folder = sys.argv[1:]
if how == "workers":
    first = persistqueue.SQLiteAckQueue(folder + "/workers")
    for job in ("web", "api"):
        first.put(job)
    print(first.get(block=False), end=" ")
    second = persistqueue.SQLiteAckQueue(folder + "/workers")
    print(second.get(block=False))
elif how == "unique":
    jobs = persistqueue.UniqueQ(folder + "/unique")
    for _ in range(2):
        jobs.put("web")
        print(jobs.size, end=" ")
        jobs.get(block=False)
else:
    jobs = persistqueue.UniqueAckQ(folder + "/acknowledged")
    for _ in range(2):
        jobs.put("web")
        print(jobs.size, end=" ")
        if jobs.size:
            jobs.ack(jobs.get(block=False))
    jobs.clear_acked_data(keep_latest=0)
    jobs.put("web")
    print(jobs.size)' "$1" "$folder"
}
same "UniqueQ: waiting after a put, and after one more when it is done" "$(by unique)" "1 1 "
same "UniqueAckQ: the same, and after clear_acked_data" "$(by acknowledged)" "1 0 1"
same "SQLiteAckQueue: what the first worker gets, and the second" "$(by workers)" "web web"

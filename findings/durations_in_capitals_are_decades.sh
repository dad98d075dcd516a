#!/usr/bin/env bash
# timelength 3.0.4, durations 0.3.3 and durations-nlp 1.0.1 (PyPI): `30D` is 30 decades, 300 years; timelength reads ISO
# 8601's `P30D` so as well. pytimeparse 1.1.10 and humanfriendly 10.0 read 30 days. `1M` is a month to the former and to
# systemd, a minute to the latter.
# Guess: 30 days by all; that `1M` differs.
# Seen: 109,500 or 109,800 days. What keeps images for "30D" keeps them for ever, and says nothing.
source "$(dirname "$0")/lib/setup.sh"
python_with timelength==3.0.4 durations==0.3.3 durations-nlp==1.0.1 pytimeparse==1.1.10 humanfriendly==10.0
# days NAME TEXT: whole days.
days() {
  python -W ignore -c '
import sys
name, text = sys.argv[1:]
if name == "timelength":
    from timelength import TimeLength
    seconds = TimeLength(text).result.seconds
elif name == "durations":
    from durations import Duration
    seconds = Duration(text).to_seconds()
elif name == "durations-nlp":
    from durations_nlp import Duration
    seconds = Duration(text).seconds
elif name == "pytimeparse":
    from pytimeparse import parse
    seconds = parse(text)
else:
    from humanfriendly import parse_timespan
    seconds = parse_timespan(text)
print(int(seconds // 86400))' "$1" "$2"
}
same "timelength, 30D" "$(days timelength 30D)" 109500
same "timelength, P30D" "$(days timelength P30D)" 109500
same "timelength, 30d" "$(days timelength 30d)" 30
for name in durations durations-nlp; do same "$name, 30D" "$(days $name 30D)" 109800; done
for name in pytimeparse humanfriendly; do
  same "$name, 30D" "$(days $name 30D)" 30
  same "$name, 1M" "$(days $name 1M)" 0
done
for name in timelength durations durations-nlp; do same "$name, 1M" "$(days $name 1M)" 30; done

#!/usr/bin/env bash
# `30` and `1h30`, by libraries of durations: to durations 0.3.3 and durations-nlp 1.0.1 (PyPI) a number without a unit is
# nothing; parse-duration 2.1.9 (npm) gives it the next smaller unit, systemd seconds; pytimeparse 1.1.10 has no answer.
# Guess: `30` is 30 seconds or an error, and `1h30` an error or an hour and a half.
# Seen: `30` is 0, 0.03 or 30 seconds, and `1h30` is 3600, 3630 or 5400. A period of 0 keeps nothing.
source "$(dirname "$0")/lib/setup.sh"
python_with durations==0.3.3 durations-nlp==1.0.1 pytimeparse==1.1.10 pytimeparse2==1.7.1 timelength==3.0.4
node_with parse-duration@2.1.9 enhanced-ms@5.0.0
# seconds NAME TEXT
seconds() {
  case $1 in
    parse-duration | enhanced-ms)
      (cd "$folder" && node --input-type=module -e '
const [name, text] = process.argv.slice(1);
const by = await import(name);
const found = (by.ms ?? by.default)(text);
console.log(found === null ? "None" : found / 1000);' "$1" "$2")
      ;;
    systemd) systemd-analyze timespan "$2" | awk '$1 ~ /s:$/ { print $2 / 1000000 }' ;;
    *)
      python -W ignore -c '
import sys
name, text = sys.argv[1:]
if name == "durations":
    from durations import Duration
    found = Duration(text).to_seconds()
elif name == "durations-nlp":
    from durations_nlp import Duration
    found = Duration(text).seconds
elif name == "timelength":
    from timelength import TimeLength
    found = TimeLength(text).result.seconds
elif name == "pytimeparse2":
    from pytimeparse2 import parse
    found = parse(text)
else:
    from pytimeparse import parse
    found = parse(text)
print(found if found is None else int(found))' "$1" "$2"
      ;;
  esac
}
for name in durations durations-nlp; do same "$name, 30" "$(seconds $name 30)" 0; done
for name in timelength pytimeparse2 systemd; do same "$name, 30" "$(seconds $name 30)" 30; done
same "parse-duration, 30" "$(seconds parse-duration 30)" 0.03
for name in pytimeparse enhanced-ms; do same "$name, 30" "$(seconds $name 30)" None; done
for name in durations durations-nlp timelength enhanced-ms; do same "$name, 1h30" "$(seconds $name 1h30)" 3600; done
same "systemd, 1h30" "$(seconds systemd 1h30)" 3630
same "parse-duration, 1h30" "$(seconds parse-duration 1h30)" 5400
for name in pytimeparse pytimeparse2; do same "$name, 1h30" "$(seconds $name 1h30)" None; done

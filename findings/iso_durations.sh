#!/usr/bin/env bash
# ISO 8601's durations, by libraries of npm, PyPI and Go. The comma, which the standard prefers: `P0,5D` is no time to dayjs
# 1.11.23, and invalid to luxon 3.7.2. A minus before it, as PostgreSQL and others write it: `-P7D` is seven days to dayjs and to
# iso8601-duration 2.1.4. Hours without the T: `P1D12H` is one day to iso8601-duration, and none to moment 2.31.0.
# Guess: dayjs reads the minus; luxon the comma; iso8601-duration refuses what it does not know.
# Seen: three silent answers. pydantic 2.14.4, isodate 0.7.2 and sosodev/duration 1.4.0 (Go) read or refuse each.
source "$(dirname "$0")/lib/setup.sh"
node_with moment@2.31.0 dayjs@1.11.23 luxon@3.7.2 iso8601-duration@2.1.4
python_with pydantic==2.14.4 isodate==0.7.2
go_program sosodev github.com/sosodev/duration v1.4.0 <<'GO'
package main

import (
	"fmt"
	"os"

	"github.com/sosodev/duration"
)

func main() {
	found, err := duration.Parse(os.Args[1])
	if err != nil {
		fmt.Println("error")
		return
	}
	fmt.Println(found.ToTimeDuration().Hours() / 24)
}
GO
# days NAME TEXT
days() {
  case $1 in
    sosodev) "$folder/bin/sosodev" "$2" ;;
    pydantic | isodate)
      python -c '
import sys
from datetime import timedelta
import isodate
from pydantic import TypeAdapter
name, text = sys.argv[1:]
try:
    found = isodate.parse_duration(text) if name == "isodate" else TypeAdapter(timedelta).validate_python(text)
    print(f"{found / timedelta(days=1):g}")
except ValueError:
    print("error")' "$1" "$2"
      ;;
    *)
      (cd "$folder" && node -e '
const [name, text] = process.argv.slice(1);
const by = require(name);
const ways = {
  moment: () => by.duration(text).asDays(),
  dayjs: () => { by.extend(require("dayjs/plugin/duration")); return by.duration(text).asDays(); },
  luxon: () => { const found = by.Duration.fromISO(text); return found.isValid ? found.as("days") : "error"; },
  "iso8601-duration": () => by.toSeconds(by.parse(text)) / 86400,
};
let found;
try { found = ways[name](); } catch { found = "error"; }
console.log(found);' "$1" "$2")
      ;;
  esac
}
# are TEXT MOMENT DAYJS LUXON ISO8601_DURATION PYDANTIC ISODATE SOSODEV
are() {
  local name seen=() text=$1
  for name in moment dayjs luxon iso8601-duration pydantic isodate sosodev; do seen+=("$(days $name "$text")"); done
  shift
  same "$text" "${seen[*]}" "$*"
}
echo "        moment dayjs luxon iso8601-duration pydantic isodate sosodev"
are P7D 7 7 7 7 7 7 7
are P0.5D 0.5 0.5 0.5 error 0.5 0.5 0.5
are P0,5D 0.5 0 error error 0.5 0.5 error
are -P7D -7 7 -7 7 -7 -7 -7
are P1D12H 0 NaN error 1 error error error

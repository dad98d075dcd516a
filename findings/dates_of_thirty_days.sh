#!/usr/bin/env bash
# "30 days", as the age in a policy, by parsers of dates: dateparser 1.5.0 (PyPI) goes back by 30 days, parsedatetime 2.6
# (PyPI) ahead, chrono-node 2.10.3 (npm) finds no date, go-naturaldate 1.3.0 (Go) goes back to a midnight. To the last, `30d` is
# tomorrow at 06:00, the 30th hour of today, and `3 months` 03:00 today; no error. `2w` is no date to dateparser, `30d` is.
# Guess: back by dateparser, ahead by parsedatetime, none by chrono, ahead or back by go-naturaldate; an error for what it does not know.
# Seen: numbers that it cannot place are hours. Deleted before "30d" is all there is.
source "$(dirname "$0")/lib/setup.sh"
python_with dateparser==1.5.0 parsedatetime==2.6
node_with chrono-node@2.10.3
go_program naturaldate github.com/tj/go-naturaldate v1.3.0 <<'GO'
package main

import (
	"fmt"
	"os"
	"time"

	"github.com/tj/go-naturaldate"
)

func main() {
	found, err := naturaldate.Parse(os.Args[1], time.Date(2026, 6, 15, 12, 0, 0, 0, time.UTC))
	if err != nil {
		fmt.Println("none")
		return
	}
	fmt.Println(found.Format("01-02 15:04"))
}
GO
export TZ=UTC
# at NAME TEXT: counted from noon of 15 June 2026.
at() {
  case $1 in
    go-naturaldate) "$folder/bin/naturaldate" "$2" ;;
    chrono) (cd "$folder" && node --input-type=module -e 'import { parseDate } from "chrono-node"; console.log(parseDate(process.argv[1], new Date("2026-06-15T12:00:00Z"))?.toISOString().slice(5, 16).replace("T", " ") ?? "none")' "$2") ;;
    *)
      python -W ignore -c '
import sys
from datetime import datetime
name, text = sys.argv[1:]
now = datetime(2026, 6, 15, 12)
if name == "dateparser":
    import dateparser
    found = dateparser.parse(text, languages=["en"], settings={"RELATIVE_BASE": now})
else:
    from parsedatetime import Calendar
    found, status = Calendar().parseDT(text, now)
    found = found if status else None
print(f"{found:%m-%d %H:%M}" if found else "none")' "$1" "$2"
      ;;
  esac
}
# are TEXT DATEPARSER PARSEDATETIME CHRONO GO_NATURALDATE
are() {
  local name seen=() text=$1
  for name in dateparser parsedatetime chrono go-naturaldate; do seen+=("$(at $name "$text")"); done
  shift
  local IFS=,
  same "$text" "${seen[*]}" "$*"
}
echo "dateparser, parsedatetime, chrono, go-naturaldate"
are "30 days ago" "05-16 12:00" "05-16 12:00" "05-16 12:00" "05-16 00:00"
are "30 days" "05-16 12:00" "07-15 12:00" none "05-16 00:00"
are 30d "05-16 12:00" "07-15 12:00" none "06-16 06:00"
are 2w none "06-29 12:00" none "06-15 02:00"
are "3 months" "03-15 12:00" "09-15 12:00" none "06-15 03:00"
are "last month" "05-15 12:00" "05-01 09:00" "05-15 12:00" "05-15 12:00"

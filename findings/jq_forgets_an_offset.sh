#!/usr/bin/env bash
# `strptime("%Y-%m-%dT%H:%M:%S%z") | mktime` of jq 1.13.0 (PyPI) and jq-wasm 1.0.1 (npm), both jq itself: it reads the offset of
# `2024-07-02T03:04:05+02:00`, and counts as if it were UTC. This is what is left for the times of images that `fromdate`
# refuses. gojq 0.12.20 counts with the offset, by `fromdate` too.
# Guess: an offset is an error to all three.
# Seen: an image made at -05:00 counts as five hours older than it is, one at +02:00 as two younger; nothing says so.
source "$(dirname "$0")/lib/setup.sh"
python_with jq==1.13.0
node_with jq-wasm@1.0.1
go_program gojq github.com/itchyny/gojq v0.12.20 <<'GO'
package main

import (
	"fmt"
	"os"

	"github.com/itchyny/gojq"
)

func main() {
	query, err := gojq.Parse(os.Args[1])
	if err != nil {
		panic(err)
	}
	found, _ := query.Run(os.Args[2]).Next()
	if seconds, ok := found.(float64); ok {
		found = int(seconds)
	} else if _, ok := found.(error); ok {
		found = "an error"
	}
	fmt.Println(found)
}
GO
# by NAME QUERY TIME: seconds of 1970.
by() {
  case $1 in
    jq) python -c 'import sys, jq; print(jq.compile(sys.argv[1]).input(sys.argv[2]).first())' "${@:2}" 2>/dev/null || echo an error ;;
    jq-wasm) (cd "$folder" && node -e 'const [query, time] = process.argv.slice(1); require("jq-wasm").raw(JSON.stringify(time), query).then((found) => console.log(String(found).trim() || "an error"), () => console.log("an error"))' "${@:2}") ;;
    gojq) "$folder/bin/gojq" "${@:2}" ;;
  esac
}
utc=1719889445
counted='strptime("%Y-%m-%dT%H:%M:%S%z") | mktime'
for name in jq jq-wasm; do
  for offset in Z +02:00 -05:00; do same "$name, $offset" "$(by $name "$counted" 2024-07-02T03:04:05$offset)" $utc; done
  same "$name, fromdate" "$(by $name fromdate 2024-07-02T03:04:05+02:00)" "an error"
done
same "gojq, Z" "$(by gojq "$counted" 2024-07-02T03:04:05Z)" $utc
same "gojq, +02:00" "$(by gojq "$counted" 2024-07-02T03:04:05+02:00)" $((utc - 7200))
same "gojq, -05:00" "$(by gojq "$counted" 2024-07-02T03:04:05-05:00)" $((utc + 18000))
same "gojq, fromdate" "$(by gojq fromdate 2024-07-02T03:04:05+02:00)" $((utc - 7200))

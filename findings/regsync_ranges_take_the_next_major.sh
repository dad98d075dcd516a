#!/usr/bin/env bash
# regsync 0.11.7: `semverRange: ["^1"]` copies 2.0.0-rc.1, and `<2` too; each range takes pre-releases, also such as
# 1.7.0-alpine. `>1` begins at 1.0.1, `1` is the version 1 alone, and `1.x` no range. To semver 7.8.6 (npm) and
# Masterminds/semver 3.5.0, which helm has, none of this is so.
# Guess: as Masterminds, which most tools of this field in Go use.
# Seen: a mirror of what is stable has the first candidate of the next major version.
source "$(dirname "$0")/lib/setup.sh"
go_tool github.com/regclient/regclient/cmd/regsync@v0.11.7
node_with semver@7.8.6
go_program masterminds github.com/Masterminds/semver/v3 v3.5.0 <<'GO'
package main

import (
	"fmt"
	"os"

	"github.com/Masterminds/semver/v3"
)

func main() {
	wanted, err := semver.NewConstraint(os.Args[1])
	if err != nil {
		panic(err)
	}
	for _, tag := range os.Args[2:] {
		if found, err := semver.NewVersion(tag); err == nil && wanted.Check(found) {
			fmt.Println(tag)
		}
	}
}
GO
distribution_2
tags=(1.2.0 1.3.0-rc.1 1.7.0-alpine 1.10.0 2.0.0-rc.1 2.0.0)
for tag in "${tags[@]}"; do push web "$tag" >/dev/null; done
taken() {
  local copy=copy-$BASHPID
  case $1 in
    regsync)
      echo "{version: 1, creds: [{registry: '$host', tls: disabled}], sync: [{source: $host/web, target: $host/$copy, type: repository, tags: {semverRange: ['$2']}}]}" >"$folder/regsync.yml"
      "$folder/bin/regsync" -c "$folder/regsync.yml" once >/dev/null 2>&1 || true
      curl -s "http://$host/v2/$copy/tags/list" | python3 -c 'import json, sys; print(*json.load(sys.stdin).get("tags") or [], sep="\n")'
      ;;
    masterminds) "$folder/bin/masterminds" "$2" "${tags[@]}" ;;
    npm) (cd "$folder" && node -p 'const [range, ...tags] = process.argv.slice(1); tags.filter((one) => require("semver").satisfies(one, range)).join("\n")' "$2" "${tags[@]}") ;;
  esac | sort -V | xargs
}
# by_range RANGE OF_REGSYNC OF_THE_OTHERS
by_range() {
  same "regsync, $1" "$(taken regsync "$1")" "$2"
  for name in masterminds npm; do same "$name, $1" "$(taken $name "$1")" "$3"; done
}
by_range "^1" "1.2.0 1.3.0-rc.1 1.7.0-alpine 1.10.0 2.0.0-rc.1" "1.2.0 1.10.0"
by_range "<2" "1.2.0 1.3.0-rc.1 1.7.0-alpine 1.10.0 2.0.0-rc.1" "1.2.0 1.10.0"
by_range ">1" "1.2.0 1.3.0-rc.1 1.7.0-alpine 1.10.0 2.0.0 2.0.0-rc.1" "2.0.0"
by_range "1" "" "1.2.0 1.10.0"
by_range "1.x" "" "1.2.0 1.10.0"

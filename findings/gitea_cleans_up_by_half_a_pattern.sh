#!/usr/bin/env bash
# Gitea 1.27.3, clean-up rules of packages: a pattern is compiled with `(?i)\A` before and `\z` after it,
# without a group. So `dev|test`, as what is removed, is each tag that begins with dev or ends with test, and `v1|v2`, as
# what is kept, also v1.5-beta; capitals count for nothing.
# Guess: dev and test alone, since both ends are there to make it the whole.
# Seen: device-api and contest are removed with them, unless each alternative is in one group.
source "$(dirname "$0")/lib/setup.sh"
mkdir "$folder/gitea"
printf 'module example.test/gitea\n\ngo 1.24\n' >"$folder/gitea/go.mod"
source_file=$(cd "$folder/gitea" && go mod download -json code.gitea.io/gitea@v1.27.3 | python3 -c 'import json, sys; print(json.load(sys.stdin)["Dir"])')/models/packages/package_cleanup_rule.go
# Its own line, not its package, which takes minutes to build.
compiled=$(grep -oE 'regexp\.Compile\(fmt\.Sprintf\(`[^`]*`, pcr\.(Keep|Remove)Pattern\)\)' "$source_file" | sed -E 's/pcr\.(Keep|Remove)Pattern/pattern/' | sort | uniq -c)
same "how both are compiled" "$(xargs -0 <<<"$compiled" | sed 's/^ *//;/^$/d')" '2 regexp.Compile(fmt.Sprintf(`(?i)\A%s\z`, pattern))'
cat >"$folder/gitea/main.go" <<GO
package main

import (
	"fmt"
	"os"
	"regexp"
)

func main() {
	pattern := os.Args[1]
	found, err := ${compiled##* 2 }
	if err != nil {
		panic(err)
	}
	for _, version := range os.Args[2:] {
		if found.MatchString(version) {
			fmt.Println(version)
		}
	}
}
GO
(cd "$folder/gitea" && go build -o "$folder/bin/matches" .)
matched() { "$folder/bin/matches" "$@" | xargs; }
same "dev|test" "$(matched 'dev|test' dev test dev-1 device-api contest v1)" "dev test dev-1 device-api contest"
same "(dev|test)" "$(matched '(dev|test)' dev test dev-1 device-api contest v1)" "dev test"
same "v1|v2" "$(matched 'v1|v2' v1 v2 v1.5-beta env2 v3)" "v1 v2 v1.5-beta env2"
same "rc.*" "$(matched 'rc.*' rc1 RC1 1.0-rc1)" "rc1 RC1"

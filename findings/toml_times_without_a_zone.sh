#!/usr/bin/env bash
# TOML's `2026-01-01` and `2026-01-01T00:00:00`, in New York: smol-toml 1.9.1 and @iarna/toml 3.0.0 (npm) make of them
# 00:00 UTC; into a time of Go, BurntSushi/toml 1.6.0 and go-toml 2.4.3 midnight there, 05:00 UTC, as Python's
# `datetime.timestamp` does with what tomllib gives.
# Guess: @iarna/toml alone says UTC; smol-toml keeps the local time apart, for which it has a type.
# Seen: its TomlDate says isLocal, and its getTime is UTC's. A limit of age in a file is five hours off between two tools.
source "$(dirname "$0")/lib/setup.sh"
node_with smol-toml@1.9.1 @iarna/toml@3.0.0
go_program burntsushi github.com/BurntSushi/toml v1.6.0 <<'GO'
package main

import (
	"fmt"
	"os"
	"time"

	"github.com/BurntSushi/toml"
)

func main() {
	var found struct{ Since time.Time }
	err := toml.Unmarshal([]byte(os.Args[1]), &found)
	fmt.Println(found.Since.UTC().Format(time.RFC3339), err)
}
GO
go_program go-toml github.com/pelletier/go-toml/v2 v2.4.3 <<'GO'
package main

import (
	"fmt"
	"os"
	"time"

	"github.com/pelletier/go-toml/v2"
)

func main() {
	var found struct{ Since time.Time }
	err := toml.Unmarshal([]byte(os.Args[1]), &found)
	fmt.Println(found.Since.UTC().Format(time.RFC3339), err)
}
GO
export TZ=America/New_York
by_node() { (cd "$folder" && node -e 'const found = require(process.argv[1]).parse(process.argv[2]).Since; console.log(new Date(found.getTime()).toISOString().slice(0, 19) + "Z", found.isLocal?.())' "$1" "$2"); }
by_python() { python3 -c 'import sys, tomllib; from datetime import UTC, datetime; found = datetime.fromisoformat(tomllib.loads(sys.argv[1])["Since"].isoformat()); print(f"{datetime.fromtimestamp(found.timestamp(), UTC):%Y-%m-%dT%H:%M:%SZ}", found.tzinfo)' "$1"; }
for line in 'Since = 2026-01-01' 'Since = 2026-01-01T00:00:00'; do
  same "smol-toml, $line" "$(by_node smol-toml "$line")" "2026-01-01T00:00:00Z true"
  same "@iarna/toml, $line" "$(by_node @iarna/toml "$line")" "2026-01-01T00:00:00Z undefined"
  for name in burntsushi go-toml; do same "$name, $line" "$("$folder/bin/$name" "$line")" "2026-01-01T05:00:00Z <nil>"; done
  same "tomllib, $line" "$(by_python "$line")" "2026-01-01T05:00:00Z None"
done

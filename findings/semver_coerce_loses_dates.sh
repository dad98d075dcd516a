#!/usr/bin/env bash
# semver 7.8.6 (npm): `coerce`, which finds a version in a tag, gives null for 24.04 and 2024.01.02, where a number begins with
# zero, and 2024.10.12 for a day of October to December; of 1.0.20240102030405123 it makes 1.0.0. `valid` with `loose` reads
# the date. Masterminds/semver 3.5.0 and hashicorp/go-version 1.9.0 read all of them.
# Guess: 24.4.0 and 2024.1.2, as it reads anything else; the long number as it is, or null.
# Seen: tags by date sorted or picked so are those of three months, and a build of today is older than 1.0.1.
source "$(dirname "$0")/lib/setup.sh"
node_with semver@7.8.6
for name in Masterminds/semver/v3@v3.5.0 hashicorp/go-version@v1.9.0; do
  module=${name%@*}
  go_program "${module%%/*}" "github.com/$module" "${name#*@}" <<GO
package main

import (
	"fmt"
	"os"

	versions "github.com/$module"
)

func main() {
	fmt.Println(versions.NewVersion(os.Args[1]))
}
GO
done
coerced() { (cd "$folder" && node -p 'String(require("semver").coerce(process.argv[1]))' "$1"); }
loosely() { (cd "$folder" && node -p 'String(require("semver").valid(process.argv[1], {loose: true}))' "$1"); }
same "24.04" "$(coerced 24.04)" null
same "24.10" "$(coerced 24.10)" 24.10.0
same "2024.01.02" "$(coerced 2024.01.02)" null
same "2024.10.12" "$(coerced 2024.10.12)" 2024.10.12
same "1.0.20240102030405123" "$(coerced 1.0.20240102030405123)" 1.0.0
same "2024.01.02, valid and loose" "$(loosely 2024.01.02)" 2024.1.2
for name in Masterminds hashicorp; do
  same "$name, 24.04" "$("$folder/bin/$name" 24.04)" "24.4.0 <nil>"
  same "$name, 2024.01.02" "$("$folder/bin/$name" 2024.01.02)" "2024.1.2 <nil>"
  same "$name, 1.0.20240102030405123" "$("$folder/bin/$name" 1.0.20240102030405123)" "1.0.20240102030405123 <nil>"
done

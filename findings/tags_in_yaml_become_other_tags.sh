#!/usr/bin/env bash
# Tags that are to be kept, in YAML without quotes, read into a list of strings: sigs.k8s.io/yaml 1.6.0, which kubectl and
# helm use, and goccy/go-yaml 1.19.2 make `42798` of the commit 0123456 and `1.1` of 1.10, without an error; sigs makes
# `12000` of 12e03 too. cattrs 26.2.0 on PyYAML 6.0.4 does as goccy; yaml.v3 3.0.1 gives the text as it is written. Without
# types, 0123456 is 123456 to js-yaml 5.5.0, yaml 2.9.1 (npm) and ruamel.yaml 0.19.1, and 12e4567 Infinity to the last two.
# Guess: a list of strings is of what is written, or an error, in Go; 12e4567 is Infinity to yaml.v3 as well, not to PyYAML.
# Seen: three of four readers change a tag on the way, and what it was is not kept.
source "$(dirname "$0")/lib/setup.sh"
python_with PyYAML==6.0.4 cattrs==26.2.0 ruamel.yaml==0.19.1
node_with js-yaml@5.5.0 yaml@2.9.1
in_go() {
  sed "s,IMPORT,yaml \"$2\"," <<'GO' | go_program "$1" "$2" "$3"
package main

import (
	"fmt"
	"os"
	"strings"

	IMPORT
)

func main() {
	policy := struct{ Keep []string }{}
	if err := yaml.Unmarshal([]byte("keep: ["+os.Args[1]+"]"), &policy); err != nil {
		panic(err)
	}
	fmt.Println(strings.Join(policy.Keep, " "))
}
GO
}
in_go sigs sigs.k8s.io/yaml v1.6.0
in_go goccy github.com/goccy/go-yaml v1.19.2
in_go v3 gopkg.in/yaml.v3 v3.0.1
read_by() {
  case $1 in
    cattrs) python -c 'import sys, yaml, cattrs; print(*cattrs.structure(yaml.safe_load(f"[{sys.argv[1]}]"), list[str]))' "$2" ;;
    ruamel) python -c 'import sys, ruamel.yaml; print(*ruamel.yaml.YAML(typ="safe", pure=True).load(f"[{sys.argv[1]}]"))' "$2" ;;
    js-yaml) (cd "$folder" && node -p 'require("js-yaml").load(`[${process.argv[1]}]`).join(" ")' "$2") ;;
    yaml) (cd "$folder" && node -p 'require("yaml").parse(`[${process.argv[1]}]`).join(" ")' "$2") ;;
    *) "$folder/bin/$1" "$2" ;;
  esac
}
keep="0123456, 1.10, 12e03, 12e4567, 1_000"
same "sigs.k8s.io/yaml" "$(read_by sigs "$keep")" "42798 1.1 12000 12e4567 1000"
same "goccy/go-yaml" "$(read_by goccy "$keep")" "42798 1.1 12e03 12e4567 1000"
same "cattrs on PyYAML" "$(read_by cattrs "$keep")" "42798 1.1 12e03 12e4567 1000"
same "yaml.v3" "$(read_by v3 "$keep")" "0123456 1.10 12e03 12e4567 1_000"
same "ruamel.yaml" "$(read_by ruamel "$keep")" "123456 1.1 12000.0 inf 1000"
same "js-yaml" "$(read_by js-yaml "$keep")" "123456 1.1 12000 12e4567 1_000"
same "yaml of npm" "$(read_by yaml "$keep")" "123456 1.1 12000 Infinity 1_000"

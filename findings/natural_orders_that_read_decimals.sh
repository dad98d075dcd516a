#!/usr/bin/env bash
# natural-orderby 5.0.0 and javascript-natural-sort 0.7.1 (npm) put 1.10 before 1.2 and 1.9: a tag of one dot is a decimal to
# them, one of two dots a version. To natural-orderby 3.10-slim is older than 3.9-slim, where 3.11 is in the list. natsort
# 8.4.0 (PyPI), natural-compare 1.4.0, string-natural-compare 3.0.1, Intl.Collator, and of Go facette/natsort and
# maruel/natural 1.3.0 order as versions.
# Guess: these two read decimals, others guess that none does; natural-orderby has tags with a suffix and days in their order.
# Seen: the former is so, the latter is not: 2024.1.10 comes before 2024.01.02. Who keeps the last tags in "natural order" drops 1.10, and keeps 1.9.
source "$(dirname "$0")/lib/setup.sh"
node_with natural-orderby@5.0.0 javascript-natural-sort@0.7.1 natural-compare@1.4.0 string-natural-compare@3.0.1
python_with natsort==8.4.0
go_program natural github.com/maruel/natural v1.3.0 <<'GO'
package main

import (
	"fmt"
	"os"
	"sort"
	"strings"

	"github.com/maruel/natural"
)

func main() {
	tags := os.Args[1:]
	sort.Sort(natural.StringSlice(tags))
	fmt.Println(strings.Join(tags, " "))
}
GO
go_program facette github.com/facette/natsort v0.0.0-20181210072756-2cd4dd1e2dcb <<'GO'
package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/facette/natsort"
)

func main() {
	tags := os.Args[1:]
	natsort.Sort(tags)
	fmt.Println(strings.Join(tags, " "))
}
GO
ordered() {
  case $1 in
    natsort) python -c 'import sys; from natsort import natsorted; print(*natsorted(sys.argv[1:]))' "${@:2}" ;;
    maruel) "$folder/bin/natural" "${@:2}" ;;
    facette) "$folder/bin/facette" "${@:2}" ;;
    *) (cd "$folder" && node -e '
const [name, ...tags] = process.argv.slice(1);
const compare = {
  "natural-orderby": () => require("natural-orderby").compare(),
  Collator: () => new Intl.Collator("en", { numeric: true }).compare,
}[name] ?? (() => require(name));
console.log(tags.sort(compare()).join(" "));' "$@") ;;
  esac
}
for name in natural-orderby javascript-natural-sort; do
  same "$name" "$(ordered $name 1.9 1.10 1.2)" "1.10 1.2 1.9"
  same "$name, two dots" "$(ordered $name 1.9.0 1.10.0 1.2.0)" "1.2.0 1.9.0 1.10.0"
done
for name in natsort natural-compare string-natural-compare Collator maruel facette; do same "$name" "$(ordered $name 1.9 1.10 1.2)" "1.2 1.9 1.10"; done
same "natural-orderby, with a suffix" "$(ordered natural-orderby 3.9-slim 3.10-slim 3.11)" "3.10-slim 3.11 3.9-slim"
same "natural-orderby, days" "$(ordered natural-orderby 2024.01.02 2024.1.10)" "2024.1.10 2024.01.02"
same "natsort, days" "$(ordered natsort 2024.01.02 2024.1.10)" "2024.01.02 2024.1.10"

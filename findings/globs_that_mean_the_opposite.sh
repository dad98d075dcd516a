#!/usr/bin/env bash
# `[!v]*`, "all but v…", by libraries of globs: to picomatch 4.0.7 and micromatch 4.0.8 (npm), and to Go's path.Match, it is a
# `!` or a `v`: it takes what begins with v, and nothing else. minimatch 11.0.9, doublestar 4.10.4, gobwas/glob 1.1.0, wcmatch
# 12.0.1 and Python's fnmatch take all else. `[^v]*` takes all else everywhere but in gobwas and fnmatch.
# Guess: picomatch and micromatch read it as minimatch does; path.Match does not.
# Seen: with the option `posix`, which is off, they do. A rule that deletes all but v… deletes just these.
source "$(dirname "$0")/lib/setup.sh"
node_with picomatch@4.0.7 micromatch@4.0.8 minimatch@11.0.9
python_with wcmatch==12.0.1
go_program glob github.com/gobwas/glob v1.1.0 <<'GO'
package main

import (
	"fmt"
	"os"
	"path"

	"github.com/gobwas/glob"
)

func main() {
	for _, name := range []string{"a1", "v1"} {
		found, _ := path.Match(os.Args[2], name)
		if os.Args[1] == "gobwas" {
			found = glob.MustCompile(os.Args[2]).Match(name)
		}
		if found {
			fmt.Print(name)
		}
	}
}
GO
go_program doublestar github.com/bmatcuk/doublestar/v4 v4.10.4 <<'GO'
package main

import (
	"fmt"
	"os"

	"github.com/bmatcuk/doublestar/v4"
)

func main() {
	for _, name := range []string{"a1", "v1"} {
		if doublestar.MatchUnvalidated(os.Args[2], name) {
			fmt.Print(name)
		}
	}
}
GO
# takes NAME PATTERN: which of a1 and v1.
takes() {
  case $1 in
    *match | *matchposix)
      if [[ $1 == fnmatch || $1 == wcmatch ]]; then
        python -c '
import sys
from fnmatch import fnmatchcase
from wcmatch import fnmatch
name, pattern = sys.argv[1:]
found = fnmatchcase if name == "fnmatch" else fnmatch.fnmatch
print(*(tag for tag in ("a1", "v1") if found(tag, pattern)))' "$1" "$2"
      else
        (cd "$folder" && node -e '
const [name, pattern] = process.argv.slice(1);
const by = require(name.replace("posix", ""));
const options = { posix: name.endsWith("posix") };
const found = { picomatch: (tag) => by(pattern, options)(tag), micromatch: (tag) => by.isMatch(tag, pattern, options), minimatch: (tag) => by.minimatch(tag, pattern) };
console.log(["a1", "v1"].filter(found[name.replace("posix", "")]).join(" "));' "$1" "$2")
      fi
      ;;
    doublestar) "$folder/bin/doublestar" "$1" "$2" ;;
    *) "$folder/bin/glob" "$1" "$2" ;;
  esac
}
for name in picomatch micromatch path.Match; do same "$name, [!v]*" "$(takes $name '[!v]*')" v1; done
for name in minimatch picomatchposix micromatchposix doublestar gobwas wcmatch fnmatch; do same "$name, [!v]*" "$(takes $name '[!v]*')" a1; done
for name in picomatch micromatch path.Match minimatch doublestar wcmatch; do same "$name, [^v]*" "$(takes $name '[^v]*')" a1; done
for name in gobwas fnmatch; do same "$name, [^v]*" "$(takes $name '[^v]*')" v1; done

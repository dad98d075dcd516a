#!/usr/bin/env bash
# One .dockerignore, other files in the image: docker-py 7.2.0, @balena/dockerignore 1.0.2 and @zeit/dockerignore 0.0.5 (npm)
# take no notice of capitals, so `BUILD` drops `build`; moby's patternmatcher 0.6.0 (Docker, BuildKit) and buildah 1.28.2 do.
# To docker-py `[!b]*` is what does not begin with b, as in Python; to the rest what begins with ! or b. After
# `*`, `!**/*.md` brings back those of the root alone with docker-py and buildah.
# Guess: all alike, but for a leading `./` and spaces at the end of a line; on those they agree.
# Seen: a file is in the image that one tool builds and not in that of another, and nobody is told.
source "$(dirname "$0")/lib/setup.sh"
debian buildah 1.28.2
python_with docker==7.2.0
node_with @balena/dockerignore@1.0.2 @zeit/dockerignore@0.0.5
go_program moby github.com/moby/patternmatcher v0.6.0 <<'GO'
package main

import (
	"fmt"
	"os"

	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
)

func main() {
	file, _ := os.Open(".dockerignore")
	patterns, _ := ignorefile.ReadAll(file)
	matcher, err := patternmatcher.New(patterns)
	if err != nil {
		panic(err)
	}
	for _, name := range os.Args[1:] {
		if found, _ := matcher.MatchesOrParentMatches(name); !found {
			fmt.Println(name)
		}
	}
}
GO
mkdir -p "$folder/context/build" "$folder/context/docs"
cd "$folder/context"
touch a.txt build/a.txt docs/a.md a.md
files=(a.md a.txt build/a.txt docs/a.md)
kept() {
  case $1 in
    moby) "$folder/bin/moby" "${files[@]}" ;;
    docker-py) python -c '
import os, sys
from docker.utils.build import exclude_paths
print(*(name for name in exclude_paths(".", open(".dockerignore").read().split("\n")) if name in sys.argv[1:]), sep="\n")' "${files[@]}" ;;
    buildah)
      local container
      printf 'FROM scratch\nCOPY . /\n' >"$folder/Dockerfile"
      buildah() { command buildah --storage-driver vfs --root "$folder/root" --runroot "$folder/run" "$@" 2>/dev/null; }
      buildah bud -q -f "$folder/Dockerfile" -t kept . >/dev/null
      container=$(buildah from --pull-never kept)
      (cd "$(buildah mount "$container")" && find . -type f -name 'a.*' -printf '%P\n')
      buildah rm "$container" >/dev/null
      ;;
    *) (cd "$folder" && node -p 'const [name, rules, ...files] = process.argv.slice(1); require(name)().add(rules).filter(files).join("\n")' "$1" "$(cat "$folder/context/.dockerignore")" "${files[@]}") ;;
  esac | sort | xargs
}
# keeps PROGRAM EXPECTED, by the .dockerignore
keeps() { same "$(xargs <.dockerignore), $1" "$(kept "$1")" "$2"; }
npm=(@balena/dockerignore @zeit/dockerignore)
echo BUILD >.dockerignore
for name in moby buildah; do keeps $name "a.md a.txt build/a.txt docs/a.md"; done
for name in docker-py "${npm[@]}"; do keeps "$name" "a.md a.txt docs/a.md"; done
echo '[!b]*' >.dockerignore
for name in moby buildah "${npm[@]}"; do keeps "$name" "a.md a.txt docs/a.md"; done
keeps docker-py build/a.txt
printf '*\n!**/*.md\n' >.dockerignore
for name in moby "${npm[@]}"; do keeps "$name" "a.md docs/a.md"; done
for name in docker-py buildah; do keeps $name a.md; done
for rule in ./a.txt 'a.txt  '; do
  echo "$rule" >.dockerignore
  for name in moby docker-py "${npm[@]}"; do keeps "$name" "a.md build/a.txt docs/a.md"; done
done

#!/usr/bin/env bash
# podman 4.3.1: `search --list-tags REPOSITORY` prints 25 tags of those that it has got, whichever stand first in the
# registry's list, and exits with 0; nothing says that there are more. `--limit` takes more of them. In the order of Debian's
# registry, which is none, they are any 25.
# Guess: all; the limit of 25 is one for a search of names.
# Seen: 25 of 60, and not the newest.
source "$(dirname "$0")/lib/setup.sh"
debian podman 4.3.1
distribution_2
for number in $(seq 60); do push web "v$number" >/dev/null; done
listed() { podman search --list-tags --no-trunc --tls-verify=false "$@" "$host/web" 2>"$folder/errors" | awk '$2 ~ /^v/ { print $2 }'; }
same "its exit code" "$(podman search --list-tags --tls-verify=false "$host/web" >/dev/null 2>"$folder/errors" && echo 0)" 0
same "tags" "$(listed | wc -l)" 25
same "errors and warnings" "$(wc -l <"$folder/errors")" 0
same "with --limit 100" "$(listed --limit 100 | wc -l)" 60
same "the newest 25" "$([[ $(listed | sort -V | xargs) == "$(seq -f 'v%g' 36 60 | xargs)" ]] && echo yes || echo no)" no

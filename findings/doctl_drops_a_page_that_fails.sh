#!/usr/bin/env bash
# doctl 1.166.0: `registry repository list-tags` reads the pages after the first at once, leaves out one whose
# request fails, and exits with 0; `registries repository list-tags` reads the first page alone, and exits with 0.
# Guess: exit code 1 and the API's error; all pages.
# Seen: 400 and 200 of 450 tags, in silence: a script that deletes what is not listed, or keeps what is, does it
# by a part of the list.
source "$(dirname "$0")/lib/setup.sh"
source "$here/doctl.sh"
code=0
seen=$(doctl registry repository list-tags web -o json 2>&1) || code=$?
same "exit code" "$code" 0
same "tags of 450, the third page refused" "$(count <<<"$seen")" 400
seen=$(doctl registries repository list-tags example web -o json 2>&1) || code=$?
same "exit code of registries" "$code" 0
same "tags of 450, nothing refused" "$(count <<<"$seen")" 200

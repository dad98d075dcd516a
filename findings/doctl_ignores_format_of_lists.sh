#!/usr/bin/env bash
# doctl 1.166.0: `--format` and `--no-header` are accepted and ignored by `registry repository …` and
# `registry garbage-collection …`, and by the same of `registries`; of `registry get` they work.
# Guess: the column alone, without its header, as the help says.
# Seen: all columns with the header. `list-tags web --format Tag --no-header | xargs doctl … delete-tag web` then
# names the words of the header, sizes and digests. `-o json` works.
source "$(dirname "$0")/lib/setup.sh"
source "$here/doctl.sh"
same "registry get" "$(doctl registry get --format Name --no-header)" example
same "first word of list-tags" "$(doctl registries repository list-tags example web --format Tag --no-header | awk 'NR == 1 { print $1 }')" Tag
same "first tag of list-tags" "$(doctl registries repository list-tags example web --format Tag --no-header | awk 'NR == 2 { print (NF > 1 ? "with more" : "alone") }')" "with more"

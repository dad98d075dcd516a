#!/usr/bin/env bash
# cosign 2.6.2: `cosign clean --type all` of an image that cosign 3 has signed exits with 0 and removes nothing of
# it: the image still verifies with version 3. Version 3 removes what either has made.
# Guess: not asked before; "all" is all.
# Seen: the tag `.sig` goes, the bundle and its list stay.
source "$(dirname "$0")/lib/setup.sh"
source "$here/cosign.sh"
read -r image _ < <(push web v1)
cosign 2 sign "$host/web@$image"
cosign 3 sign "$host/web@$image"
code=0
cosign 2 clean --type all -f "$host/web:v1" || code=$?
same "exit code" "$code" 0
same "tags" "$(tags web)" "${image/:/-} v1"
same "verifies with 2" "$(verifies 2 "$host/web:v1")" no
same "verifies with 3" "$(verifies 3 "$host/web:v1")" yes
cosign 2 sign "$host/web@$image"
cosign 3 clean --type all -f "$host/web:v1"
same "after clean of 3, tags" "$(tags web)" v1
same "verifies with 3" "$(verifies 3 "$host/web:v1")" no

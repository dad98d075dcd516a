#!/usr/bin/env bash
# distribution 2.8.2 (Debian's docker-registry): `tags/list` takes no notice of `n` and `last`, gives
# no Link, and its order is neither that of names nor that of pushes.
# Guess: pages of n in the order of names, with a Link to the next, as `_catalog` of the same server has.
# Seen: five tags for n=2, in an order of the storage's; two repositories and a Link for `_catalog?n=2`.
source "$(dirname "$0")/lib/setup.sh"
distribution_2
for tag in a1 a2 a3 a4 a5; do push web "$tag" >/dev/null; done
for name in one two; do push "$name" v1 >/dev/null; done
names() { curl -s "http://$host/v2/$1" | python3 -c 'import json, sys; print(*sorted(json.load(sys.stdin)[sys.argv[1]]))' "$2"; }
links() { curl -si "http://$host/v2/$1" | grep -ci '^link:' || true; }
same "tags/list?n=2, sorted by us" "$(names 'web/tags/list?n=2' tags)" "a1 a2 a3 a4 a5"
same "tags/list?n=2&last=a4" "$(names 'web/tags/list?n=2&last=a4' tags)" "a1 a2 a3 a4 a5"
same "its Links" "$(links 'web/tags/list?n=2')" 0
same "_catalog?n=2" "$(names '_catalog?n=2' repositories)" "one two"
same "its Links" "$(links '_catalog?n=2')" 1

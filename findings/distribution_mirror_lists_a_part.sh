#!/usr/bin/env bash
# distribution 2.8.2 and 3.1.2 as a pull-through mirror: while the upstream does not answer, or answers with 429, `tags/list`
# is 200 with those tags alone that the mirror has pulled before, and a tag that it has not is a 404, MANIFEST_UNKNOWN; a
# repository of which it has none is NAME_UNKNOWN. Only a manifest by its digest is a 500, or 3.1.2's 429.
# Guess: 5xx for each of them but for the tag that it has.
# Seen: one tag of three, and "unknown" for the others: who takes a 404 for gone, or a list for whole, is wrong for as long.
source "$(dirname "$0")/lib/setup.sh"
source "$here/mirror.sh"
# fails VERSION HOW DIGEST_STATUS: what is asked of the mirror when its upstream fails so.
fails() {
  mirrored_by "$1"
  push web v1 one >/dev/null
  read -r digest _ <<<"$(push web v2 two)"
  push web v3 three >/dev/null
  push other v1 other >/dev/null
  pulled "$mirror" v1 >/dev/null
  same "distribution $1, tags" "$(tags "$mirror" web)" "v1 v2 v3"
  "$2"
  same "$2, tags" "$(status "http://$mirror/v2/web/tags/list") $(tags "$mirror" web)" "200 v1"
  same "$2, a tag pulled before" "$(pulled "$mirror" v1)" 200
  same "$2, another tag" "$(pulled "$mirror" v2)" 404
  same "$2, its digest" "$(pulled "$mirror" "$digest")" "$3"
  same "$2, tags of another repository" "$(tags "$mirror" other)" NAME_UNKNOWN
}
fails 2 stop_upstream 500
fails 2 throttle_upstream 500
fails 3 stop_upstream 500
fails 3 throttle_upstream 429

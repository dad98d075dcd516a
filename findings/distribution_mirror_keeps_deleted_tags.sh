#!/usr/bin/env bash
# distribution 2.8.2 and 3.1.2 as a pull-through mirror: a tag that is deleted upstream still pulls from the mirror, which asks
# the upstream, is told 404, and answers 200 with what it had. Its `tags/list`, asked at the same moment, is without the tag,
# and DELETE is refused: no call takes the tag out of the mirror.
# Guess: 404, as the upstream is asked for each tag; a copy is used when it cannot be asked.
# Seen: 200 for the tag and for its digest. To ask a mirror whether a tag is gone says nothing.
source "$(dirname "$0")/lib/setup.sh"
source "$here/mirror.sh"
for version in 2 3; do
  mirrored_by $version
  read -r digest _ <<<"$(push web v1 one)"
  push web v2 two >/dev/null
  same "distribution $version, pulled" "$(pulled "$mirror" v1)" 200
  same "deleted upstream" "$(status -X DELETE "http://$upstream/v2/web/manifests/$digest")" 202
  same "upstream, the tag" "$(pulled "$upstream" v1)" 404
  same "mirror, the tag" "$(pulled "$mirror" v1)" 200
  same "mirror, the digest" "$(pulled "$mirror" "$digest")" 200
  same "mirror, its list" "$(tags "$mirror" web)" v2
  same "mirror, DELETE" "$(status -X DELETE "http://$mirror/v2/web/manifests/$digest")" 405
  push web v2 three >/dev/null
  same "a tag that is moved" "$(curl -s -H "$OCI_MANIFEST" "http://$mirror/v2/web/manifests/v2" | sha256sum)" "$(curl -s -H "$OCI_MANIFEST" "http://$upstream/v2/web/manifests/v2" | sha256sum)"
done

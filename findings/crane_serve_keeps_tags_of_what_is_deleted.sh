#!/usr/bin/env bash
# go-containerregistry 0.22.1, `crane registry serve`: DELETE of a manifest by digest takes the digest away
# and leaves its tags: they are listed, and pull.
# Guess: the tags of a deleted manifest are gone with it, as distribution and the vendors have it.
# Seen: 202, then 404 by digest and 200 by tag, with the very digest that is said not to be there. Tests of a
# clean-up against this server see nothing deleted, or call deleted what pulls.
source "$(dirname "$0")/lib/setup.sh"
source "$here/crane_serve.sh"
read -r digest _ < <(push web v1)
accept='Accept: application/vnd.oci.image.manifest.v1+json'
same "DELETE by digest" "$(status -X DELETE "http://$host/v2/web/manifests/$digest")" 202
same "GET by digest" "$(status "http://$host/v2/web/manifests/$digest" -H "$accept")" 404
same "GET by tag" "$(status "http://$host/v2/web/manifests/v1" -H "$accept")" 200
same "its digest" "$(curl -sI "http://$host/v2/web/manifests/v1" -H "$accept" | tr -d '\r' | sed -n 's/^Docker-Content-Digest: //Ip')" "$digest"
same "tags" "$(curl -s "http://$host/v2/web/tags/list" | tr -d ' \n')" '{"name":"web","tags":["v1"]}'

#!/usr/bin/env bash
# skopeo 1.9.3: `sync` of a repository whose registry has no referrers API exits with 0 and loses what is attached.
# Without `--all`, the tag `sha256-<hex>` is on one attachment instead of their list; with it, the list is written
# anew, without the types.
# Guess: tags are copied as they are; a list that has no platform is refused without `--all`.
# Seen: `oras discover` finds nothing in the one copy, and things of an unknown type in the other.
source "$(dirname "$0")/lib/setup.sh"
debian skopeo 1.9.3
go_tool oras.land/oras/cmd/oras@v1.3.6
distribution_2
cd "$folder"
echo content >file
"$folder/bin/oras" push --plain-http "$host/web:v1" file >/dev/null
for kind in one two; do "$folder/bin/oras" attach --plain-http --artifact-type "text/$kind" "$host/web:v1" file >/dev/null; done
digest() { curl -sI -H 'Accept: application/vnd.oci.image.manifest.v1+json' "http://$host/v2/$1/manifests/v1" | tr -d '\r' | awk 'tolower($1) == "docker-content-digest:" { print $2 }'; }
attached() { "$folder/bin/oras" discover --plain-http --format json "$host/$1:v1" | python3 -c 'import json, sys; print(*sorted(one.get("artifactType") or "none" for one in json.load(sys.stdin).get("referrers") or []))'; }
kind_of_list() { curl -sI -H 'Accept: application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json' "http://$host/v2/$1/manifests/$2" | tr -d '\r' | awk 'tolower($1) == "content-type:" { print $2 }'; }
sync() { skopeo --insecure-policy sync --src docker --dest docker --src-tls-verify=false --dest-tls-verify=false "$@" >/dev/null 2>&1; }
image=$(digest web)
same "attached" "$(attached web)" "text/one text/two"
code=0
sync "$host/web" "$host/plain" || code=$?
same "exit code" "$code" 0
same "same image" "$([[ $(digest plain/web) == "$image" ]] && echo yes || echo no)" yes
same "attached" "$(attached plain/web)" ""
same "the list" "$(kind_of_list plain/web "${image/:/-}")" application/vnd.oci.image.manifest.v1+json
sync --all "$host/web" "$host/all"
same "with --all, same image" "$([[ $(digest all/web) == "$image" ]] && echo yes || echo no)" yes
same "attached" "$(attached all/web)" "none none"
same "with --all, the list's types" "$(curl -s -H 'Accept: application/vnd.oci.image.index.v1+json' "http://$host/v2/all/web/manifests/${image/:/-}" | grep -c artifactType || true)" 0

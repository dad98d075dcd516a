#!/usr/bin/env bash
# regctl 0.11.7: `regctl tag delete` where the registry refuses DELETE, as distribution does unless it is told
# otherwise, fails with exit code 1, and has moved the tag to a dummy manifest: the image is no longer pulled by it.
# Guess: exit code 1, and the tag as before.
# Seen: the fallback for registries that cannot delete a tag alone pushes a dummy under the tag, in order to delete
# that by digest; when this DELETE is refused, too, the dummy stays. Pullers of the tag get it.
source "$(dirname "$0")/lib/setup.sh"
go_tool github.com/regclient/regclient/cmd/regctl@v0.11.7
distribution_2 false
read -r manifest _ < <(push web v1)
points_at() { curl -sI -H 'Accept: application/vnd.oci.image.manifest.v1+json' "http://$host/v2/web/manifests/v1" | tr -d '\r' | awk 'tolower($1) == "docker-content-digest:" { print $2 }'; }
same "the tag points at the image" "$(points_at)" "$manifest"
code=0
HOME=$folder "$folder/bin/regctl" --host "reg=$host,tls=disabled" tag delete "$host/web:v1" >/dev/null 2>&1 || code=$?
same "exit code" "$code" 1
same "the tag points at the image" "$([[ $(points_at) == "$manifest" ]] && echo yes || echo no)" no

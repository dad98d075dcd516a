#!/usr/bin/env bash
# gitlab-registry-cleanup 0.1.7 (PyPI), a tool for "untagged Docker images" of GitLab's registry: it takes each image of a
# tagged list for untagged, and deletes it by its digest.
# Guess: what a tagged list holds is kept.
# Seen: of `web:v1`, a list of two, both images are deleted; the tag stays, and nobody can pull it.
source "$(dirname "$0")/lib/setup.sh"
python_with gitlab-registry-cleanup==0.1.7 gitlab-registry-usage==0.3.3
distribution_2
read -r one _ < <(push web one one)
read -r two _ < <(push web two two)
read -r old _ < <(push web old old)
# put REFERENCE TYPE: the manifest on stdin.
put() { curl -sf -o /dev/null -X PUT -H "Content-Type: $2" --data-binary @- "http://$host/v2/web/manifests/$1"; }
oci=application/vnd.oci.image
size=$(curl -s -H "Accept: $oci.manifest.v1+json" "http://$host/v2/web/manifests/$one" | wc -c)
for name in one two old; do rm -r "$folder/data-${host#*:}/docker/registry/v2/repositories/web/_manifests/tags/$name"; done
put v1 $oci.index.v1+json <<JSON
{"schemaVersion": 2, "mediaType": "$oci.index.v1+json", "manifests": [
{"mediaType": "$oci.manifest.v1+json", "digest": "$one", "size": $size, "platform": {"os": "linux", "architecture": "amd64"}},
{"mediaType": "$oci.manifest.v1+json", "digest": "$two", "size": $size, "platform": {"os": "linux", "architecture": "arm64"}}]}
JSON
found=$(python - "$folder/data-${host#*:}" <<'PY'
import sys

from gitlab_registry_cleanup.cleanup import soft_delete_untagged_imagehashes

soft_delete_untagged_imagehashes(
    "http://gitlab.example.test",
    "http://registry.example.test",
    "anna",
    "none",
    sys.argv[1],
    dry_run=True,
    notify_callback=lambda repository, digest, _: print(repository, digest),
)
PY
)
would() { grep -qx "web $1" <<<"$found" && echo yes || echo no; }
same "deletes what nothing names" "$(would "$old")" yes
same "their number" "$(grep -c . <<<"$found")" 3
same "deletes amd64 of the list" "$(would "$one")" yes
same "deletes arm64 of the list" "$(would "$two")" yes
for digest in "$one" "$two" "$old"; do curl -s -o /dev/null -X DELETE "http://$host/v2/web/manifests/$digest"; done
same "the tag, then" "$(status -H "Accept: $oci.index.v1+json" "http://$host/v2/web/manifests/v1")" 200
same "its image for amd64" "$(status -H "Accept: $oci.manifest.v1+json" "http://$host/v2/web/manifests/$one")" 404

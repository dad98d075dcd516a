#!/usr/bin/env bash
# distribution 2.8.2 and 3.1.2, a tag of Docker's manifest list, asked for by a client whose Accept has Docker's manifest and not
# the list, though it has OCI's types: 200 with the manifest for linux/amd64, and its digest as that of the tag. By the list's
# own digest the list comes. With `*/*` it is a 400, and a list without amd64 is a 404. An OCI index: 404 by 2.8.2, and the
# index for any Accept by 3.1.2, which hides an OCI manifest from the same.
# Guess: the manifest for amd64 by 2.8.2 alone, for clients of old; 404 by 3.1.2, of the index too; `*/*` gets the list.
# Seen: a clean-up deletes by that digest, is told 202, and has deleted one image of the list: the tag stays, and is broken.
source "$(dirname "$0")/lib/setup.sh"
docker=application/vnd.docker.distribution
oci=application/vnd.oci.image
# list REPOSITORY TYPES ARCHITECTURE...: pushes v1 there; prints the digests of the images, and that of the list.
list() {
  python3 - "$here" "http://$host" "$@" <<'PY'
import hashlib, json, sys
here, base, repository, types, *architectures = sys.argv[1:]
sys.path.insert(0, here)
from push import OCI, digest, image, send
DOCKER = "application/vnd.docker"
kind, kind_of_list = {
    "docker": (f"{DOCKER}.distribution.manifest.v2+json", f"{DOCKER}.distribution.manifest.list.v2+json"),
    "oci": (f"{OCI}.manifest.v1+json", f"{OCI}.index.v1+json"),
}[types]
entries = []
for architecture in architectures:
    one = {**image(base, repository, architecture), "mediaType": kind}
    if types == "docker":
        one["config"]["mediaType"] = f"{DOCKER}.container.image.v1+json"
        one["layers"][0]["mediaType"] = f"{DOCKER}.image.rootfs.diff.tar"
    body = json.dumps(one).encode()
    send("PUT", f"{base}/v2/{repository}/manifests/{digest(body)}", body, kind)
    platform = {"os": "linux", "architecture": architecture}
    entries.append({"mediaType": kind, "digest": digest(body), "size": len(body), "platform": platform})
body = json.dumps({"schemaVersion": 2, "mediaType": kind_of_list, "manifests": entries}).encode()
send("PUT", f"{base}/v2/{repository}/manifests/v1", body, kind_of_list)
print(*(entry["digest"] for entry in entries), digest(body))
PY
}
# told REPOSITORY REFERENCE ACCEPT: the status, and the digest.
told() { curl -sI -H "Accept: $3" "http://$host/v2/$1/manifests/$2" | tr -d '\r' | awk 'NR == 1 { seen = $2 } tolower($1) == "docker-content-digest:" { seen = seen " " $2 } END { print seen }'; }
images="$docker.manifest.v2+json, $oci.manifest.v1+json, $oci.index.v1+json"
for version in 2 3; do
  distribution_$version
  read -r arm amd whole <<<"$(list web docker arm64 amd64)"
  list arm docker arm64 >/dev/null
  read -r _ _ index <<<"$(list index oci arm64 amd64)"
  same "distribution $version, with the list's type" "$(told web v1 "$images, $docker.manifest.list.v2+json")" "200 $whole"
  same "without it" "$(told web v1 "$images")" "200 $amd"
  same "by the list's digest" "$(told web "$whole" "$images")" "200 $whole"
  same "with OCI's types alone" "$(told web v1 "$oci.manifest.v1+json, $oci.index.v1+json")" 400
  same "with any" "$(told web v1 '*/*')" 400
  same "without amd64" "$(told arm v1 "$images")" 404
  same "an index without its type" "$(told index v1 "$docker.manifest.v2+json")" "$([[ $version == 2 ]] && echo 404 || echo "200 $index")"
  same "an index with any" "$(told index v1 '*/*')" "$([[ $version == 2 ]] && echo 404 || echo "200 $index")"
  same "an image of OCI with any" "$(push single v1 >/dev/null && told single v1 '*/*')" 404
  same "deleted by what was told" "$(status -X DELETE "http://$host/v2/web/manifests/$(told web v1 "$images" | cut -d ' ' -f 2)")" 202
  same "the list" "$(told web v1 "$docker.manifest.list.v2+json")" "200 $whole"
  same "its amd64, its arm64" "$(told web "$amd" "$images") $(told web "$arm" "$images")" "404 200 $arm"
done

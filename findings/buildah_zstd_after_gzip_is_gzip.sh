#!/usr/bin/env bash
# buildah 1.28.2: `push --compression-format zstd` of an image that was pushed to the same registry as gzip exits with 0
# and pushes the manifest of gzip again, to another repository as well.
# Guess: layers of zstd, as the option says; they are, if it comes first.
# Seen: the same digest. A comparison of sizes, or a cache that waits for zstd, compares gzip with itself.
source "$(dirname "$0")/lib/setup.sh"
debian buildah 1.28.2
distribution_2
cd "$folder"
echo content >file
buildah() { command buildah --storage-driver vfs --root "$folder/root" --runroot "$folder/run" "$@" >/dev/null 2>&1; }
pushed_as() { curl -s -H 'Accept: application/vnd.oci.image.manifest.v1+json' "http://$host/v2/$1/manifests/v1" | python3 -c 'import json, sys; print(json.load(sys.stdin)["layers"][0]["mediaType"].rpartition("+")[2])'; }
for name in first second; do
  echo "$name" >file
  buildah from --name "$name" scratch
  buildah add "$name" file /
  buildah commit "$name" "$name"
done
buildah push --tls-verify=false first "docker://$host/gzip:v1"
buildah push --tls-verify=false --compression-format zstd first "docker://$host/zstd:v1"
buildah push --tls-verify=false --compression-format zstd second "docker://$host/other:v1"
same "first, without an option" "$(pushed_as gzip)" gzip
same "first, as zstd" "$(pushed_as zstd)" gzip
same "second, as zstd" "$(pushed_as other)" zstd

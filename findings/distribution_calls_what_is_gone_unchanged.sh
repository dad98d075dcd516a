#!/usr/bin/env bash
# distribution 2.8.2 and 3.1.2 answer GET and HEAD of a manifest by its digest with 304 when If-None-Match has that digest,
# whether it is there or not: also of one that is deleted, and in a repository that never was. By a tag, and of blobs: 404.
# Guess: 404, as without the header.
# Seen: 304 for each. A cache that asks again with the ETag it was given keeps a deleted manifest for good; and a program
# that looks with it whether one is gone is told that nothing has changed.
source "$(dirname "$0")/lib/setup.sh"
looked() {
  local path=$1
  shift
  for method in GET HEAD; do
    [[ $method == HEAD ]] && set -- "$@" -I
    status -H 'Accept: application/vnd.oci.image.manifest.v1+json' "$@" "http://$host/v2/$path"
    echo
  done | xargs
}
for version in 2 3; do
  distribution_$version
  read -r digest _ <<<"$(push web v1)"
  etag="If-None-Match: \"$digest\""
  layer=sha256:$(printf 'layer of an image' | sha256sum | cut -d ' ' -f 1)
  same "distribution $version, unchanged" "$(looked "web/manifests/$digest" -H "$etag")" "304 304"
  same "deleted" "$(status -X DELETE "http://$host/v2/web/manifests/$digest") $(status -X DELETE "http://$host/v2/web/blobs/$layer")" "202 202"
  same "looked at" "$(looked "web/manifests/$digest")" "404 404"
  same "with its ETag" "$(looked "web/manifests/$digest" -H "$etag")" "304 304"
  same "in a repository that never was" "$(looked "nowhere/manifests/$digest" -H "$etag")" "304 304"
  same "by the tag" "$(looked web/manifests/v1 -H "$etag")" "404 404"
  same "the layer" "$(looked "web/blobs/$layer" -H "If-None-Match: \"$layer\"")" "404 404"
done

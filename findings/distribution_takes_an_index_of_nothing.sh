#!/usr/bin/env bash
# distribution 2.8.2 and 3.1.2: an OCI index with `"manifests": null`, or without the key, which the
# specification requires, is stored and served as it came.
# Guess: 400 MANIFEST_INVALID for both.
# Seen: 201 and the same bytes back. So readers meet indexes whose children are null.
source "$(dirname "$0")/lib/setup.sh"
index=application/vnd.oci.image.index.v1+json
for server in distribution_2 distribution_3; do
  $server
  push web v1 >/dev/null
  for body in "{\"schemaVersion\":2,\"mediaType\":\"$index\",\"manifests\":null}" "{\"schemaVersion\":2,\"mediaType\":\"$index\"}"; do
    same "$server, PUT" "$(status -X PUT "http://$host/v2/web/manifests/none" -H "Content-Type: $index" -d "$body")" 201
    same "$server, GET" "$(curl -s "http://$host/v2/web/manifests/none" -H "Accept: $index")" "$body"
  done
done

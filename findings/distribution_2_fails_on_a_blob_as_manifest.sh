#!/usr/bin/env bash
# distribution 2.8.2: GET or HEAD of a blob's digest under `manifests/` is a 500 UNKNOWN. Indexes may name blobs
# (buildx's caches do by default), so whoever looks for the children of an index meets it.
# Guess: 404 MANIFEST_UNKNOWN, since no such manifest is there.
# Seen: 500, which clients take for a passing fault and try again; 3.1.2 answers 404.
source "$(dirname "$0")/lib/setup.sh"
for server in distribution_2:500 distribution_3:404; do
  ${server%:*}
  read -r _ config < <(push web v1)
  same "${server%:*}, GET" "$(status "http://$host/v2/web/manifests/$config")" "${server#*:}"
  same "${server%:*}, HEAD" "$(status -I "http://$host/v2/web/manifests/$config")" "${server#*:}"
done

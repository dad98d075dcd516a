#!/usr/bin/env bash
# distribution 2.8.2: `DELETE /v2/NAME/manifests/DIGEST` with the digest of a configuration or a layer is
# answered with 202, and takes that blob away from the repository: the manifest is still served, and no
# longer pulls.
# Guess: 404 MANIFEST_UNKNOWN, as for any digest that is no manifest's.
# Seen: 202, and 404 for the blob; 3.1.2 answers 404 and keeps it. So "image ID" and digest are not to be
# mixed up: a wrong one does harm instead of nothing.
source "$(dirname "$0")/lib/setup.sh"
accept='Accept: application/vnd.oci.image.manifest.v1+json'
distribution_2
read -r _ config < <(push web v1)
same "2.8.2, DELETE" "$(status -X DELETE "http://$host/v2/web/manifests/$config")" 202
same "2.8.2, the blob" "$(status "http://$host/v2/web/blobs/$config")" 404
same "2.8.2, the manifest" "$(status "http://$host/v2/web/manifests/v1" -H "$accept")" 200
distribution_3
read -r _ config < <(push web v1)
same "3.1.2, DELETE" "$(status -X DELETE "http://$host/v2/web/manifests/$config")" 404
same "3.1.2, the blob" "$(status "http://$host/v2/web/blobs/$config")" 200

#!/usr/bin/env bash
# distribution 2.8.2: DELETE of a manifest by its tag answers 400 DIGEST_INVALID, "provided digest did not
# match uploaded content", though nothing was uploaded and no digest was given.
# Guess: 405 UNSUPPORTED, as the specification has it for registries that do not delete tags.
# Seen: 400; 3.1.2 deletes the tag alone, with 202. A client that reads 400 as its own mistake never falls
# back to the digest.
source "$(dirname "$0")/lib/setup.sh"
distribution_2
push web v1 >/dev/null
same "2.8.2" "$(status -X DELETE "http://$host/v2/web/manifests/v1")" 400
same "2.8.2, code" "$(curl -s -X DELETE "http://$host/v2/web/manifests/v1" | python3 -c 'import json, sys; print(json.load(sys.stdin)["errors"][0]["code"])')" DIGEST_INVALID
distribution_3
push web v1 >/dev/null
read -r digest _ < <(push web v2)
same "3.1.2" "$(status -X DELETE "http://$host/v2/web/manifests/v1")" 202
same "3.1.2, the other tag" "$(status "http://$host/v2/web/manifests/v2" -H 'Accept: application/vnd.oci.image.manifest.v1+json')" 200

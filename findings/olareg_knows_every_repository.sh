#!/usr/bin/env bash
# olareg 0.1.2: the tags of a repository that is not there are 200 and an empty list, to crane 0.22.1 an exit code 0; distribution
# 2.8.2 and `crane registry serve` say 404 NAME_UNKNOWN. As distribution, it has no OCI manifest for `Accept: */*`.
# Guess: 404; a manifest for any Accept.
# Seen: a misspelt repository is one without tags, and a clean-up of it succeeds.
source "$(dirname "$0")/lib/setup.sh"
source "$here/olareg.sh"
source "$here/crane_serve.sh"
crane_serve=$host
distribution_2
distribution=$host
olareg
push web v1 >/dev/null
lists() { "$folder/bin/crane" ls --insecure "$1/wbe" >"$folder/tags" 2>/dev/null && echo "$(wc -l <"$folder/tags") tags" || echo fails; }
same "olareg, no such repository" "$(curl -s "http://$host/v2/wbe/tags/list")" '{"name":"wbe","tags":[]}'
same "crane ls" "$(lists "$host")" "0 tags"
same "crane ls, distribution" "$(lists "$distribution")" fails
same "crane ls, crane registry serve" "$(lists "$crane_serve")" fails
same "olareg, Accept: */*" "$(status -H 'Accept: */*' "http://$host/v2/web/manifests/v1")" 404
same "olareg, Accept of OCI's type" "$(status -H 'Accept: application/vnd.oci.image.manifest.v1+json' "http://$host/v2/web/manifests/v1")" 200

#!/usr/bin/env bash
# go-containerregistry 0.22.1: `gcrane gc` on a registry that is not Google's prints nothing and exits with 0,
# whatever is untagged there.
# Guess: an error, since it lives on an extension of the tags list that only Google's registries answer.
# Seen: 0 and silence: as a scheduled job it is a clean-up that never cleans.
source "$(dirname "$0")/lib/setup.sh"
go_tool github.com/google/go-containerregistry/cmd/gcrane@v0.22.1
distribution_2
read -r old _ < <(push web v1 first)
push web v1 second >/dev/null
same "untagged, and there" "$(status "http://$host/v2/web/manifests/$old" -H 'Accept: application/vnd.oci.image.manifest.v1+json')" 200
code=0
seen=$("$folder/bin/gcrane" gc --insecure "$host/web" 2>&1) || code=$?
same "exit code" "$code" 0
same "output" "$seen" ""

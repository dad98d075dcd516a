#!/usr/bin/env bash
# go-containerregistry 0.22.1, on a registry that is not Google's: `gcrane gc` prints nothing and exits with 0, whatever is
# untagged there, and `gcrane cp -r` copies nothing and exits with 0.
# Guess: errors, since both live on an extension of the list of tags that only Google's registries answer; or `cp -r` copies the
# tags, as `crane copy --all-tags` does.
# Seen: 0 and silence of both. As scheduled jobs they are a clean-up that never cleans, and a backup that is empty.
source "$(dirname "$0")/lib/setup.sh"
go_tool github.com/google/go-containerregistry/cmd/gcrane@v0.22.1
go_tool github.com/google/go-containerregistry/cmd/crane@v0.22.1
distribution_2
read -r old _ < <(push web v1 first)
push web v1 second >/dev/null
same "untagged, and there" "$(status "http://$host/v2/web/manifests/$old" -H 'Accept: application/vnd.oci.image.manifest.v1+json')" 200
code=0
seen=$("$folder/bin/gcrane" gc --insecure "$host/web" 2>&1) || code=$?
same "gc, exit code and output" "$code $seen" "0 "
code=0
"$folder/bin/gcrane" cp -r "$host/web" "$host/copy" >/dev/null 2>&1 || code=$?
same "cp -r, exit code" "$code" 0
same "the target" "$(status "http://$host/v2/copy/tags/list")" 404
"$folder/bin/crane" copy --all-tags "$host/web" "$host/copy" >/dev/null 2>&1
same "the target after crane" "$(status "http://$host/v2/copy/tags/list")" 200

#!/usr/bin/env bash
# go-containerregistry 0.22.1: `gcrane cp -r` from a registry that is not Google's copies nothing and exits with 0.
# Guess: it copies the tags, as `crane copy --all-tags` does, or fails.
# Seen: 0, and no repository at the target. As a backup it is an empty one.
source "$(dirname "$0")/lib/setup.sh"
go_tool github.com/google/go-containerregistry/cmd/gcrane@v0.22.1
go_tool github.com/google/go-containerregistry/cmd/crane@v0.22.1
distribution_2
push web v1 >/dev/null
code=0
"$folder/bin/gcrane" cp -r "$host/web" "$host/copy" >/dev/null 2>&1 || code=$?
same "exit code" "$code" 0
same "the target" "$(status "http://$host/v2/copy/tags/list")" 404
"$folder/bin/crane" copy --all-tags "$host/web" "$host/copy" >/dev/null 2>&1
same "the target after crane" "$(status "http://$host/v2/copy/tags/list")" 200

#!/usr/bin/env bash
# go-containerregistry 0.22.1: `crane ls --omit-digest-tags` leaves out every tag that begins with `sha256-`,
# names that people gave among them, and shows the tags of other digest algorithms.
# Guess: left out are sha256-<64 hex>, with .sig, .att and .sbom; everything else is shown.
# Seen: sha256-notes is left out; sha512-<128 hex> is shown.
source "$(dirname "$0")/lib/setup.sh"
go_tool github.com/google/go-containerregistry/cmd/crane@v0.22.1
distribution_3
hex=$(printf 'a%.0s' {1..64})
# A tag has at most 128 characters: a sha512 digest is cut, as the referrers' fallback of OCI has it.
cut=$(printf 'b%.0s' {1..110})
for tag in v1 "sha256-$hex" "sha256-$hex.sig" sha256-notes "sha512-$cut"; do push web "$tag" >/dev/null; done
same "all" "$("$folder/bin/crane" ls --insecure "$host/web" | wc -l)" 5
same "omitted" "$("$folder/bin/crane" ls --insecure --omit-digest-tags "$host/web" | sort | xargs)" "sha512-$cut v1"

#!/usr/bin/env bash
# cosign 3.1.3: `cosign copy` takes no signature along that it has made itself, exits with 0, and sets a tag
# `sha256-<hex>` in the target on the image, which by OCI's scheme is where the list of its referrers belongs.
# Guess, from its help ("Copy the supplied container image and signatures"): the copy verifies.
# Seen: it does not; a signature of cosign 2, which is a tag of its own, does come along.
source "$(dirname "$0")/lib/setup.sh"
source "$here/cosign.sh"
read -r image _ < <(push web v1)
cosign 3 sign "$host/web@$image"
same "verifies" "$(verifies 3 "$host/web:v1")" yes
code=0
cosign 3 copy "$host/web:v1" "$host/copy:v1" || code=$?
same "exit code" "$code" 0
same "the copy verifies" "$(verifies 3 "$host/copy:v1")" no
same "its tags" "$(tags copy)" "${image/:/-} v1"
same "the first is on the image" "$(digest_of copy "${image/:/-}")" "$image"
read -r old _ < <(push old v1 "another image")
cosign 2 sign "$host/old@$old"
cosign 3 copy "$host/old:v1" "$host/old-copy:v1"
same "signed by version 2, the copy verifies" "$(verifies 2 "$host/old-copy:v1")" yes

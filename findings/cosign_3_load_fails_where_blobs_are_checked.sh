#!/usr/bin/env bash
# cosign 3.1.3: `cosign save` of an image that it has signed, or attested, writes all of it; `cosign load` of that fails with
# MANIFEST_BLOB_UNKNOWN at distribution 2.8.2 and 3.1.2, after the image is pushed and its tag set: the copy has no signature.
# `crane registry serve` 0.22.1, which does not look whether the blobs of a manifest are there, takes it, and it verifies.
# Guess: the signature is left behind, as by `cosign copy`.
# Seen: an error, after which a second `cosign load` fails, too.
source "$(dirname "$0")/lib/setup.sh"
source "$here/cosign.sh"
old=$host
distribution_3
new=$host
source "$here/crane_serve.sh"
lax=$host
for host in "$old" "$new" "$lax"; do
  read -r image _ < <(push web v1)
  rm -rf saved
  cosign 3 sign "$host/web@$image"
  cosign 3 save --dir saved "$host/web@$image"
  for _ in 1 2; do
    code=0
    cosign 3 load --dir saved "$host/copy:v1" || code=$?
    case $host in
      "$lax") same "crane, exit code" "$code" 0 ;;
      *) same "distribution, exit code" "$code" 1 ;;
    esac
  done
  same "the image is there" "$(status -H 'Accept: application/vnd.oci.image.manifest.v1+json' "http://$host/v2/copy/manifests/v1")" 200
  case $host in
    "$lax") same "crane, the copy verifies" "$(verifies 3 "$host/copy:v1")" yes ;;
    *) same "distribution, the copy verifies" "$(verifies 3 "$host/copy:v1")" no ;;
  esac
done

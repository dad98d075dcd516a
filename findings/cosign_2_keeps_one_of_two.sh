#!/usr/bin/env bash
# cosign 2.6.2: `sign` twice leaves one signature, `attest` twice two attestations, `attach sbom` twice the second
# SBOM alone: the first is untagged, and the next clean-up's.
# Guess: two of each, as layers of one manifest.
# Seen: one, two, and one; all three commands exit with 0.
source "$(dirname "$0")/lib/setup.sh"
source "$here/cosign.sh"
read -r image _ < <(push web v1)
echo '{"number": 1}' >1.json
echo '{"number": 2}' >2.json
for number in 1 2; do
  cosign 2 sign "$host/web@$image"
  cosign 2 attest --type custom --predicate $number.json "$host/web@$image"
  cosign 2 attach sbom --sbom $number.json "$host/web@$image"
  [[ -n ${first:-} ]] || first=$(digest_of web "${image/:/-}.sbom")
done
for kind in sig:1 att:2 sbom:1; do
  same "layers of .${kind%:*}" "$(layers web "${image/:/-}.${kind%:*}")" "${kind#*:}"
done
same "the first SBOM is still its tag's" "$([[ $(digest_of web "${image/:/-}.sbom") == "$first" ]] && echo yes || echo no)" no

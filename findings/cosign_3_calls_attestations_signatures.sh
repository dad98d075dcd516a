#!/usr/bin/env bash
# cosign 3.1.3: `cosign download signature` of an image that has an attestation and was never signed prints that
# attestation; `cosign download attestation` of one that is only signed prints its signature.
# `cosign attest --replace` replaces none: the old predicate stays beside the new one, and `verify-attestation` prints both.
# Guess: nothing, as by version 2.6.2; two remain.
# Seen: who asks whether there is a signature by `download` is told so by any bundle. Version 2 replaces.
source "$(dirname "$0")/lib/setup.sh"
source "$here/cosign.sh"
# lines VERSION WHAT IMAGE: of what `cosign download WHAT` prints.
lines() { "$folder/bin/cosign$1" download "$2" --allow-http-registry "$3" 2>/dev/null | grep -c . || true; }
# predicates VERSION IMAGE: of all that verify.
predicates() {
  "$folder/bin/cosign$1" verify-attestation --type https://example.com/note --allow-http-registry --insecure-ignore-tlog --key cosign.pub "$2" 2>/dev/null |
    python3 -c 'import base64, json, sys; print(*sorted(json.loads(base64.b64decode(json.loads(line)["payload"]))["predicate"]["note"] for line in sys.stdin))'
}
for note in one two; do echo "{\"note\": \"$note\"}" >$note.json; done
for version in 2 3; do
  read -r image _ < <(push attested-$version v1)
  image=$host/attested-$version@$image
  cosign $version attest --type https://example.com/note --predicate one.json "$image"
  expected=$((version - 2))
  same "$version, signatures of what is attested" "$(lines $version signature "$image")" $expected
  same "$version, its attestations" "$(lines $version attestation "$image")" 1
  cosign $version attest --replace --type https://example.com/note --predicate two.json "$image"
  case $version in
    2) same "2, replaced" "$(predicates 2 "$image")" two ;;
    3) same "3, replaced" "$(predicates 3 "$image")" "one two" ;;
  esac
  read -r image _ < <(push signed-$version v1 "another image")
  image=$host/signed-$version@$image
  cosign $version sign "$image"
  same "$version, signatures of what is signed" "$(lines $version signature "$image")" 1
  same "$version, its attestations" "$(lines $version attestation "$image")" $expected
done

#!/usr/bin/env bash
# cue 0.17.1: `cue mod publish v0.1.0` of what has changed since v0.1.0 was published overwrites it in the registry, with the
# same line and exit code 0; whoever has it in the cache goes on with the old one, others get the new one, and no digest in
# module.cue tells. Unchanged, it is the same manifest again: the times in the module are fixed.
# Guess: refused, as a module's version is fixed once and for all to its users.
# Seen: two machines evaluate one module.cue to two values, both with exit code 0.
source "$(dirname "$0")/lib/setup.sh"
CGO_ENABLED=0 go_tool cuelang.org/go/cmd/cue@v0.17.1
distribution_2
cd "$folder"
mkdir module user
export CUE_REGISTRY=$host+insecure CUE_CACHE_DIR=$folder/old HOME=$folder
cue() { (cd "$folder/$1" && "$folder/bin/cue" "${@:2}" 2>&1); }
digest_of() { curl -sI -H 'Accept: application/vnd.oci.image.manifest.v1+json' "http://$host/v2/example.com/module/manifests/v0.1.0" | tr -d '\r' | awk 'tolower($1) == "docker-content-digest:" { print $2 }'; }
publish() {
  local code=0
  cue module mod publish v0.1.0 >said || code=$?
  echo "$(cut -d' ' -f1 said), $code"
}
cue module mod init --source=self example.com/module@v0
printf 'package module\n\nvalue: 1\n' >module/value.cue
same "published" "$(publish)" "published, 0"
first=$(digest_of)
cue user mod init --source=self example.com/user@v0
printf 'package user\n\nimport "example.com/module@v0"\n\nvalue: module.value\n' >user/user.cue
cue user mod get example.com/module@v0.1.0
same "a user's value" "$(cue user eval -e value)" 1
sleep 2
same "published again" "$(publish)" "published, 0"
same "the same manifest" "$([[ $(digest_of) == "$first" ]] && echo yes || echo no)" yes
printf 'package module\n\nvalue: 2\n' >module/value.cue
same "published with another value" "$(publish)" "published, 0"
same "the same manifest" "$([[ $(digest_of) == "$first" ]] && echo yes || echo no)" no
same "the user's value" "$(cue user eval -e value)" 1
export CUE_CACHE_DIR=$folder/new
same "on another machine" "$(cue user eval -e value)" 2

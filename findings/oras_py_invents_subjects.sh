#!/usr/bin/env bash
# oras-py 0.2.43: `Subject.from_manifest(registry.get_manifest(...))`, the way to attach something, hashes the manifest
# as Python would write it. Only of what Python has pushed is that the manifest's digest.
# Guess: the digest that the registry has.
# Seen: another one for what Go has pushed (`oras push`); what is attached so has a subject that does not exist.
source "$(dirname "$0")/lib/setup.sh"
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check oras==0.2.43
go_tool oras.land/oras/cmd/oras@v1.3.6
distribution_2
cd "$folder"
echo content >file
"$folder/bin/oras" push --plain-http "$host/web:go" file >/dev/null
push web python >/dev/null
subject() {
  "$folder/venv/bin/python" -c '
import sys
from oras.oci import Subject
from oras.provider import Registry
print(Subject.from_manifest(Registry(insecure=True).get_manifest(sys.argv[1])).digest)' "$host/web:$1"
}
digest() { curl -sI -H 'Accept: application/vnd.oci.image.manifest.v1+json' "http://$host/v2/web/manifests/$1" | tr -d '\r' | awk 'tolower($1) == "docker-content-digest:" { print $2 }'; }
same "of what Python has pushed, the digest" "$([[ $(subject python) == "$(digest python)" ]] && echo yes || echo no)" yes
same "of what Go has pushed, the digest" "$([[ $(subject go) == "$(digest go)" ]] && echo yes || echo no)" no

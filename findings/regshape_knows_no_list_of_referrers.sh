#!/usr/bin/env bash
# regshape 0.1.1 (PyPI): where a registry has no referrers API, `referrer list` fails with "Manifest not found", though oras 1.3.6
# shows what is attached, from the list under the tag `sha256-<hex>` that the specification has for this. A name with
# a tag and a digest is "not found" too: the tag is taken for a part of the repository.
# Guess: not asked; the list under the tag, and the digest.
# Seen: 404 for the image that is there.
source "$(dirname "$0")/lib/setup.sh"
python_with regshape==0.1.1
go_tool oras.land/oras/cmd/oras@v1.3.6
distribution_2
cd "$folder"
read -r digest _ <<<"$(push web v1)"
echo content >file
bin/oras attach --plain-http --artifact-type text/a "$host/web:v1" file >/dev/null
regshape() { venv/bin/regshape --insecure "$@" 2>&1; }
same "oras" "$(bin/oras discover --plain-http --format go-template='{{range .referrers}}{{.artifactType}}{{end}}' "$host/web:v1")" text/a
same "regshape" "$(regshape referrer list -i "$host/web@$digest" | grep -o 'Manifest not found')" "Manifest not found"
same "its manifest, by digest" "$(regshape manifest get -i "$host/web@$digest" | grep -c schemaVersion)" 1
same "by tag and digest" "$(regshape manifest get -i "$host/web:v1@$digest" | grep -o 'Manifest not found')" "Manifest not found"

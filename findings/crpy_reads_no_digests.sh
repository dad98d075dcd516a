#!/usr/bin/env bash
# crpy 0.4.0: an image by its digest, NAME@sha256:HEX, is asked for as tag HEX of a repository "NAME@sha256": it is found
# nowhere, by `manifest` and `pull`.
# Guess: not asked; read, as `docker pull` prints it.
# Seen: 404, from a path that no registry has. What pins its images cannot use it.
source "$(dirname "$0")/lib/setup.sh"
python_with crpy==0.4.0
distribution_2
read -r digest _ < <(push web v1)
export HOME=$folder
of() { "$folder/venv/bin/crpy" -k manifest "http://$host/web$1" 2>&1 | tr -d ' \n' | grep -oE 'status404|schemaVersion' | head -1; }
same "by tag" "$(of :v1)" schemaVersion
same "by digest" "$(of "@$digest")" status404
same "by digest, by curl" "$(status -H 'Accept: application/vnd.oci.image.manifest.v1+json' "http://$host/v2/web/manifests/$digest")" 200

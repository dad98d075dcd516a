#!/usr/bin/env bash
# python-dxf 12.1.1: `get_digest(tag)` gives the digest of the image's configuration ("image ID"), not that of
# its manifest; of an index it gives a dict of configurations by platform, without the index's own digest.
# Guess: the manifest's digest, the one that registries take in a DELETE; an error for an index.
# Seen: the configuration's. A script that hands it to distribution 3's DELETE gets a 404 and takes the image for
# gone (what 2.8.2 does with it: distribution_2_deletes_a_blob_as_manifest.sh).
source "$(dirname "$0")/lib/setup.sh"
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check python-dxf==12.1.1
distribution_3
read -r manifest config < <(push web v1)
seen=$("$folder/venv/bin/python" -c '
import sys
from dxf import DXF
print(DXF(sys.argv[1], "web", insecure=True).get_digest("v1"))' "$host")
same "get_digest is the configuration" "$([[ $seen == "$config" ]] && echo yes || echo no)" yes
same "DELETE of it" "$(status -X DELETE "http://$host/v2/web/manifests/$seen")" 404
same "DELETE of the manifest" "$(status -X DELETE "http://$host/v2/web/manifests/$manifest")" 202

#!/usr/bin/env bash
# opencontainers 0.0.15 (PyPI): `load` of a manifest or index with `mediaType`, as nearly all have it, raises SystemExit, which
# `except Exception` lets pass: the process ends. So do `variant` of an image, and `artifactType` of a descriptor.
# Guess: read, and unknown keys left out, or a ValueError.
# Seen: exit code 1 and one line on the error stream.
source "$(dirname "$0")/lib/setup.sh"
python_with opencontainers==0.0.15
load() {
  python -W ignore -c '
import json, sys
from opencontainers.image import v1
document = json.loads(sys.argv[2])
try:
    getattr(v1, sys.argv[1])().load(document)
except Exception as error:
    print("error", error)
else:
    print("read")
' "$@" 2>/dev/null || echo "exit code $?"
}
blob='"digest": "sha256:'$(printf '0%.0s' {1..64})'", "size": 2'
config='{"mediaType": "application/vnd.oci.image.config.v1+json", '$blob'}'
layers='[{"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", '$blob'}]'
image='"os": "linux", "rootfs": {"type": "layers", "diff_ids": []}, "config": {}'
same "a manifest" "$(load Manifest "{\"schemaVersion\": 2, \"config\": $config, \"layers\": $layers}")" read
same "with mediaType" "$(load Manifest "{\"schemaVersion\": 2, \"mediaType\": \"application/vnd.oci.image.manifest.v1+json\", \"config\": $config, \"layers\": $layers}")" "exit code 1"
same "an index with mediaType" "$(load Index '{"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": []}')" "exit code 1"
same "an image" "$(load Image "{\"architecture\": \"arm64\", $image}")" read
same "an image with variant" "$(load Image "{\"architecture\": \"arm64\", \"variant\": \"v8\", $image}")" "exit code 1"
same "an index with artifactType" "$(load Index "{\"schemaVersion\": 2, \"manifests\": [{\"mediaType\": \"application/vnd.oci.image.manifest.v1+json\", \"artifactType\": \"text/a\", $blob}]}")" "exit code 1"

#!/usr/bin/env bash
# An index of the same two images: oras 1.3.6 and regctl 0.11.7 write the same bytes, crane 0.22.1 (`index append`, and `pull
# --format oci`) gives each entry an `artifactType`, the media type of its configuration, as if an image were an artifact.
# Guess: three orders of keys, and so three digests.
# Seen: two, which differ by that key.
source "$(dirname "$0")/lib/setup.sh"
go_tool github.com/google/go-containerregistry/cmd/crane@v0.22.1
go_tool oras.land/oras/cmd/oras@v1.3.6
go_tool github.com/regclient/regclient/cmd/regctl@v0.11.7
distribution_2
cd "$folder"
read -r one _ <<<"$(push web one "the first")"
read -r two _ <<<"$(push web two "the second")"
bin/crane index append --insecure -m "$host/web@$one" -m "$host/web@$two" -t "$host/web:crane" 2>/dev/null >&2
bin/oras manifest index create --plain-http "$host/web:oras" "$one" "$two" >/dev/null
bin/regctl --host "reg=$host,tls=disabled" index create --ref "$host/web@$one" --ref "$host/web@$two" "$host/web:regctl" >/dev/null
bin/crane pull --insecure --format oci "$host/web:one" layout
digest_of() { bin/crane digest --insecure "$host/web:$1"; }
types() { python3 -c 'import json, sys; print(*(one.get("artifactType") for one in json.load(sys.stdin)["manifests"]))'; }
image=application/vnd.oci.image.config.v1+json
same "oras and regctl alike" "$([[ $(digest_of oras) == "$(digest_of regctl)" ]] && echo yes || echo no)" yes
same "artifactType, oras" "$(bin/crane manifest --insecure "$host/web:oras" | types)" "None None"
same "artifactType, crane" "$(bin/crane manifest --insecure "$host/web:crane" | types)" "$image $image"
same "artifactType, crane pull" "$(types <layout/index.json)" "$image"

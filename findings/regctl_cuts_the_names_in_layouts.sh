#!/usr/bin/env bash
# regctl 0.11.7: of a name in an OCI layout, as skopeo 1.9.3 writes "web:v1" into `org.opencontainers.image.ref.name`, it
# shows what follows the colon. Two images "web:v1" and "api:v1" are one tag "v1" to it, and that is the first of them.
# umoci 0.4.7 and oras 1.3.6 list both names.
# Guess: not asked; "web:v1", or an error.
# Seen: `v1`, read as "web:v1", and "not found" when the tag that it lists is to be deleted.
source "$(dirname "$0")/lib/setup.sh"
debian skopeo 1.9.3
debian umoci '0.4.7\+ds-3\+b7'
go_tool github.com/regclient/regclient/cmd/regctl@v0.11.7
go_tool oras.land/oras/cmd/oras@v1.3.6
distribution_2
push web v1 "the web" >/dev/null
push api v1 "the api" >/dev/null
cd "$folder"
for name in web api; do
  skopeo --insecure-policy copy -q --src-tls-verify=false "docker://$host/$name:v1" "oci:layout:$name:v1"
done
digest_of() { python3 -c 'import json, sys; print(next(each["digest"] for each in json.load(open("layout/index.json"))["manifests"] if each["annotations"]["org.opencontainers.image.ref.name"] == sys.argv[1]))' "$1"; }
same "umoci" "$(umoci ls --layout layout | sort | xargs)" "api:v1 web:v1"
same "oras" "$(bin/oras repo tags --oci-layout layout | sort | xargs)" "api:v1 web:v1"
same "regctl" "$(bin/regctl tag ls ocidir://layout | xargs)" v1
same "regctl's v1 is web:v1" "$([[ $(bin/regctl manifest head ocidir://layout:v1) == "$(digest_of web:v1)" ]] && echo yes || echo no)" yes
same "regctl, to delete it" "$(bin/regctl tag rm ocidir://layout:v1 2>&1 | grep -o 'not found')" "not found"

#!/usr/bin/env bash
# An image without `created`, which the specification leaves out if one likes: a change of a label by crane 0.22.1 or umoci
# 0.4.7 writes "0001-01-01T00:00:00Z", regctl 0.11.7 leaves it out.
# Guess: it stays out.
# Seen: the image is two thousand years old to whoever deletes by age.
source "$(dirname "$0")/lib/setup.sh"
debian skopeo 1.9.3
debian umoci '0.4.7\+ds-3\+b7'
go_tool github.com/google/go-containerregistry/cmd/crane@v0.22.1
go_tool github.com/regclient/regclient/cmd/regctl@v0.11.7
distribution_2
cd "$folder"
push web v1 >/dev/null
bin/crane mutate --insecure -l key=value -t "$host/web:crane" "$host/web:v1" >/dev/null 2>&1
bin/regctl --host "reg=$host,tls=disabled" image mod --label key=value --create regctl "$host/web:v1" >/dev/null
skopeo --insecure-policy copy -q --src-tls-verify=false "docker://$host/web:v1" oci:layout:v1
umoci config --image layout:v1 --config.label key=value
skopeo --insecure-policy copy -q --dest-tls-verify=false oci:layout:v1 "docker://$host/web:umoci"
created() { bin/crane config --insecure "$host/web:$1" | python3 -c 'import json, sys; found = json.load(sys.stdin); assert "author" in found; print(found.get("created"))'; }
for name in v1 regctl; do same "$name" "$(created $name)" None; done
for name in crane umoci; do same "$name" "$(created $name)" 0001-01-01T00:00:00Z; done

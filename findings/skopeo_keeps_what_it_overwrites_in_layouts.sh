#!/usr/bin/env bash
# skopeo 1.9.3: `copy` to a name in an OCI layout that is taken leaves the former image in index.json, without a name.
# Then crane 0.22.1 refuses to push the layout, and skopeo itself to read it without a name.
# Guess: one entry, as one tag in a registry.
# Seen: an entry more for each copy, until somebody collects them; the layout of one image is none any more.
source "$(dirname "$0")/lib/setup.sh"
debian skopeo 1.9.3
go_tool github.com/google/go-containerregistry/cmd/crane@v0.22.1
distribution_2
cd "$folder"
copy() { skopeo --insecure-policy copy -q --src-tls-verify=false --dest-tls-verify=false "$@" 2>&1; }
entries() { python3 -c 'import json; print(*(each.get("annotations", {}).get("org.opencontainers.image.ref.name") for each in json.load(open("layout/index.json"))["manifests"]))'; }
push web v1 "the first" >/dev/null
copy "docker://$host/web:v1" oci:layout:v1
same "after the first" "$(entries)" v1
copy oci:layout "docker://$host/copy:v1"
push web v1 "the second" >/dev/null
copy "docker://$host/web:v1" oci:layout:v1
same "after the second" "$(entries)" "None v1"
same "skopeo, without a name" "$(copy oci:layout "docker://$host/copy:v1" | grep -o 'more than one image')" "more than one image"
same "crane" "$(bin/crane push --insecure layout "$host/copy:v1" 2>&1 | grep -o 'contains 2 entries')" "contains 2 entries"

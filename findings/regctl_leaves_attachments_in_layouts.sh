#!/usr/bin/env bash
# In an OCI layout, oras 1.3.6 lists what it attaches in index.json, without a name; regctl 0.11.7 looks for a name `sha256-<hex>`
# alone, as in a registry without referrers. It lists nothing, and `image copy --referrers` to a registry exits with 0
# without the attachment. oras finds both kinds. When regctl writes, it deletes blobs of no image, which oras keeps.
# Guess: so. It is kept since an image that travels in a folder arrives without its signatures or SBOMs.
# Seen: the tool that takes the image out of the folder decides.
source "$(dirname "$0")/lib/setup.sh"
go_tool oras.land/oras/cmd/oras@v1.3.6
go_tool github.com/regclient/regclient/cmd/regctl@v0.11.7
distribution_2
cd "$folder"
push web v1 >/dev/null
push web v2 "another image" >/dev/null
echo content >file
regctl() { bin/regctl --host "reg=$host,tls=disabled" "$@"; }
of_oras() { bin/oras discover --format go-template='{{range .referrers}}{{.artifactType}} {{end}}' "$@" | xargs -n 1 | sort | xargs; }
of_regctl() { regctl artifact list --format '{{range .Descriptors}}{{.ArtifactType}} {{end}}' "$1" | xargs; }
bin/oras cp --from-plain-http --to-oci-layout "$host/web:v1" layout:v1 >/dev/null
bin/oras attach --oci-layout --artifact-type by/oras layout:v1 file >/dev/null
same "regctl, of oras's" "$(of_regctl ocidir://layout:v1)" ""
regctl artifact put --artifact-type by/regctl --subject ocidir://layout:v1 <file
same "regctl, of both" "$(of_regctl ocidir://layout:v1)" by/regctl
same "oras, of both" "$(of_oras --oci-layout layout:v1)" "by/oras by/regctl"
regctl image copy --referrers ocidir://layout:v1 "$host/by-regctl:v1" >/dev/null
bin/oras cp -r --from-oci-layout --to-plain-http layout:v1 "$host/by-oras:v1" >/dev/null
same "copied by regctl" "$(of_oras --plain-http "$host/by-regctl:v1")" by/regctl
same "copied by oras" "$(of_oras --plain-http "$host/by-oras:v1")" "by/oras by/regctl"
digest=sha256:$(sha256sum layout/oci-layout | cut -d' ' -f1)
bin/oras blob push --oci-layout "layout@$digest" layout/oci-layout >/dev/null
there() { [[ -e layout/blobs/sha256/${digest#*:} ]] && echo yes || echo no; }
same "a blob of no image" "$(there)" yes
regctl image copy "$host/web:v2" ocidir://layout:v2 >/dev/null
same "after regctl has written" "$(there)" no

#!/usr/bin/env bash
# crane 0.22.1: `crane mutate` of an index, say to set a label, takes its image for linux/amd64, and moves the tag to that
# alone, without a warning and with exit code 0; of an index without that platform it fails. `crane flatten` and regctl 0.11.7
# (`image mod --label`) keep all platforms.
# Guess: an error, or each platform is changed.
# Seen: those who pull the tag for linux/arm64 get the image for linux/amd64, or an error.
source "$(dirname "$0")/lib/setup.sh"
go_tool github.com/google/go-containerregistry/cmd/crane@v0.22.1
go_tool github.com/regclient/regclient/cmd/regctl@v0.11.7
distribution_2
cd "$folder"
echo text >file
tar -cf layer.tar file
for platform in amd64 arm64 s390x; do
  bin/crane append --insecure --oci-empty-base -f layer.tar -t "$host/web:$platform" 2>/dev/null >&2
  bin/crane mutate --insecure --set-platform linux/$platform -t "$host/web:$platform" "$host/web:$platform" 2>/dev/null >&2
done
# index TAG PLATFORM...
index() {
  local parts=()
  for platform in "${@:2}"; do parts+=(-m "$host/web:$platform"); done
  bin/crane index append --insecure "${parts[@]}" -t "$host/web:$1" 2>/dev/null >&2
}
# platforms TAG
platforms() {
  bin/crane manifest --insecure "$host/web:$1" | python3 -c '
import json, sys
found = json.load(sys.stdin)
print(*(each["platform"]["architecture"] for each in found["manifests"]) if "manifests" in found else ["an image"])'
}
code() { "$@" >/dev/null 2>&1 && echo 0 || echo $?; }
for tag in crane regctl flat; do index $tag arm64 amd64; done
index other arm64 s390x
same "crane, exit code" "$(code bin/crane mutate --insecure -l key=value "$host/web:crane")" 0
same "the tag" "$(platforms crane)" "an image"
same "its platform" "$(bin/crane config --insecure "$host/web:crane" | python3 -c 'import json, sys; print(json.load(sys.stdin)["architecture"])')" amd64
same "crane, without amd64, exit code" "$(code bin/crane mutate --insecure -l key=value "$host/web:other")" 1
same "the tag" "$(platforms other)" "arm64 s390x"
same "regctl, exit code" "$(code bin/regctl --host "reg=$host,tls=disabled" image mod --label key=value --replace "$host/web:regctl")" 0
same "the tag" "$(platforms regctl)" "arm64 amd64"
same "crane flatten, exit code" "$(code bin/crane flatten --insecure -t "$host/web:flat" "$host/web:flat")" 0
same "the tag" "$(platforms flat)" "arm64 amd64"

#!/usr/bin/env bash
# umoci 0.4.7: `gc` of an OCI layout that has an image with Docker's media types, as crane 0.22.1, oras 1.3.6 and regctl
# 0.11.7 copy it, exits with 0 and deletes its configuration and its layers: it knows no more of it than the manifest.
# Guess: so. It is kept for what is lost without a word.
# Seen: one blob of three is left, and the tag still there. Of OCI's types, all.
source "$(dirname "$0")/lib/setup.sh"
debian umoci '0.4.7\+ds-3\+b7'
go_tool github.com/google/go-containerregistry/cmd/crane@v0.22.1
go_tool oras.land/oras/cmd/oras@v1.3.6
go_tool github.com/regclient/regclient/cmd/regctl@v0.11.7
distribution_2
cd "$folder"
push web oci >/dev/null
echo content >file
tar cf layer.tar file
bin/crane append --insecure -f layer.tar -t "$host/web:docker" >/dev/null 2>&1
copy() {
  case $1 in
    crane) bin/crane pull --insecure --format oci "$host/web:$2" "$1-$2" ;;
    oras) bin/oras cp --from-plain-http "$host/web:$2" --to-oci-layout "$1-$2:v1" ;;
    regctl) bin/regctl --host "reg=$host,tls=disabled" image copy "$host/web:$2" "ocidir://$1-$2:v1" ;;
  esac >/dev/null 2>&1
}
blobs() { find "$1/blobs" -type f | wc -l; }
for name in crane oras regctl; do
  for types in oci docker; do
    copy $name $types
    same "$name, $types" "$(blobs "$name-$types")" 3
    umoci gc --layout "$name-$types" >/dev/null 2>&1
    same "$name, $types, collected" "$(blobs "$name-$types")" "$([[ $types == oci ]] && echo 3 || echo 1)"
  done
done
same "its tag" "$(umoci ls --layout oras-docker)" v1

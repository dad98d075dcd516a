#!/usr/bin/env bash
# An index within an index, as `regctl index create --ref INDEX` 0.11.7 makes it: `--platform` finds an image in it with crane 0.22.1,
# not with oras 1.3.6, nor with regctl itself, since the inner one has no platform. skopeo 1.9.3 shows the image
# of it and does not copy it, as podman 4.3.1 does not pull it; crane, oras and regctl copy the whole.
# Guess: regctl alone finds it; crane and skopeo fail.
# Seen: `skopeo inspect` shows what neither skopeo nor podman gets.
source "$(dirname "$0")/lib/setup.sh"
debian skopeo 1.9.3
debian podman 4.3.1
go_tool github.com/google/go-containerregistry/cmd/crane@v0.22.1
go_tool oras.land/oras/cmd/oras@v1.3.6
go_tool github.com/regclient/regclient/cmd/regctl@v0.11.7
distribution_2
cd "$folder"
export XDG_RUNTIME_DIR=$folder
echo content >file
tar cf layer.tar file
regctl() { bin/regctl --host "reg=$host,tls=disabled" "$@"; }
# Two images, an index of both, and one of that.
for architecture in amd64 arm64; do
  bin/crane append --insecure --oci-empty-base -f layer.tar -t "$host/web:bare" >/dev/null 2>&1
  bin/crane mutate --insecure --set-platform "linux/$architecture" -t "$host/web:$architecture" "$host/web:bare" >/dev/null 2>&1
done
regctl index create --ref "$host/web:amd64" --ref "$host/web:arm64" "$host/web:inner" >/dev/null
regctl index create --ref "$host/web:inner" "$host/web:outer" >/dev/null
answers_by() {
  case $1 in
    crane) bin/crane config --insecure --platform linux/amd64 "$host/web:$2" ;;
    oras) bin/oras manifest fetch-config --plain-http --platform linux/amd64 "$host/web:$2" ;;
    regctl) regctl image config --platform linux/amd64 "$host/web:$2" ;;
    skopeo) skopeo --override-os linux --override-arch amd64 inspect --config --tls-verify=false "docker://$host/web:$2" ;;
    skopeo-copy) skopeo --insecure-policy --override-os linux --override-arch amd64 copy --src-tls-verify=false "docker://$host/web:$2" "dir:copied-$2" ;;
    skopeo-copy-all) skopeo --insecure-policy copy --all --src-tls-verify=false --dest-tls-verify=false "docker://$host/web:$2" "docker://$host/skopeo:$2" ;;
    podman) podman --storage-driver vfs --root "$folder/p" --runroot "$folder/r" pull --tls-verify=false "$host/web:$2" ;;
    crane-copy) bin/crane copy --insecure "$host/web:$2" "$host/crane:$2" ;;
    oras-copy) bin/oras cp --from-plain-http --to-plain-http "$host/web:$2" "$host/oras:$2" ;;
    regctl-copy) regctl image copy "$host/web:$2" "$host/regctl:$2" ;;
  esac >/dev/null 2>&1 && echo yes || echo no
}
programs=(crane oras regctl skopeo skopeo-copy skopeo-copy-all podman crane-copy oras-copy regctl-copy)
for name in "${programs[@]}"; do same "$name, the inner" "$(answers_by "$name" inner)" yes; done
for name in "${programs[@]}"; do
  case $name in oras | regctl | skopeo-copy | skopeo-copy-all | podman) expected=no ;; *) expected=yes ;; esac
  same "$name, the outer" "$(answers_by "$name" outer)" $expected
done

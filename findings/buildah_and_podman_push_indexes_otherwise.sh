#!/usr/bin/env bash
# buildah 1.28.2 and podman 4.3.1: the same `manifest push LIST TARGET` pushes the images of the list with podman, and
# the list alone with buildah, where a registry then refuses it. Both are made of the same code.
# Guess: the list alone with both, since both have an option `--all`.
# Seen: podman's `--all` is true by default.
source "$(dirname "$0")/lib/setup.sh"
debian buildah 1.28.2
debian podman 4.3.1
distribution_2
cd "$folder"
echo content >file
tar cf layer.tar file
export XDG_RUNTIME_DIR=$folder
for program in buildah podman; do
  # podman takes no path of more than 50 characters.
  run() { "$program" --storage-driver vfs --root "$folder/$program" --runroot "$folder/r" "$@" >/dev/null 2>&1; }
  if [[ $program == podman ]]; then
    run import layer.tar image
  else
    run from --name work scratch
    run add work file /
    run commit work image
  fi
  run manifest create list
  run manifest add list containers-storage:localhost/image
  code=0
  run manifest push --tls-verify=false list "docker://$host/$program:v1" || code=$?
  same "$program, exit code" "$code" "$([[ $program == podman ]] && echo 0 || echo 125)"
  same "$program, the list" "$(status "http://$host/v2/$program/manifests/v1" -H 'Accept: application/vnd.oci.image.index.v1+json')" "$([[ $program == podman ]] && echo 200 || echo 404)"
done

#!/usr/bin/env bash
# podman 4.3.1 and buildah 1.28.2: `rmi web:v1`, where there is no image of that name, removes an image of any registry and any
# folders that ends in it, such as example.com/team/web:v1, with exit code 0. `podman push web:v1` and
# `buildah from web:v1` take one of them as well. A name that is the end of a word, as eb:v1, is not found.
# Guess: no such image; a short name is localhost's or one of the registries in registries.conf.
# Seen: a job that removes its own image twice removes somebody else's the second time.
source "$(dirname "$0")/lib/setup.sh"
debian podman 4.3.1
debian buildah 1.28.2
go_tool github.com/google/go-containerregistry/cmd/crane@v0.22.1
distribution_2
cd "$folder"
local_images=(--root "$folder/root" --runroot "$folder/run" --storage-driver vfs)
podman() { command podman "${local_images[@]}" --tmpdir "$folder/tmp" --cgroup-manager cgroupfs --events-backend none "$@" 2>/dev/null; }
buildah() { command buildah "${local_images[@]}" "$@" 2>/dev/null; }
code() { "$@" >/dev/null && echo 0 || echo $?; }
for repository in team/web other/team/web mine/site; do
  echo $repository >name
  tar -cf layer.tar name
  bin/crane append --insecure --oci-empty-base -f layer.tar -t "$host/$repository:v1" 2>/dev/null >&2
done
pull() { for repository in "$@"; do podman pull -q --tls-verify=false "$host/$repository:v1" >/dev/null; done; }
left() { podman images --format '{{.Repository}}' | sed "s,^$host/,,; s,^localhost/,own ," | sort | xargs; }
same_left() { same "left" "$(left)" "$1"; }
for tool in podman buildah; do
  pull mine/site team/web
  podman tag "$host/mine/site:v1" localhost/web:v1
  same_left "mine/site own web team/web"
  same "$tool rmi web:v1" "$(code $tool rmi web:v1)" 0
  same_left "mine/site team/web"
  same "$tool rmi eb:v1" "$([[ $(code $tool rmi eb:v1) == 0 ]] && echo removed || echo failed)" failed
  same "$tool rmi web:v1" "$(code $tool rmi web:v1)" 0
  same_left "mine/site"
  pull other/team/web
  same "$tool rmi team/web:v1" "$(code $tool rmi team/web:v1)" 0
  same_left "mine/site"
  same "$tool rmi web:v1" "$([[ $(code $tool rmi web:v1) == 0 ]] && echo removed || echo failed)" failed
done
pull team/web
same "podman push web:v1" "$(code podman push -q --tls-verify=false web:v1 "docker://$host/pushed:v1")" 0
working=$(buildah from --pull-never web:v1)
same "buildah from web:v1" "$(buildah inspect --format '{{.FromImage}}' "$working" | sed "s,^$host/,,")" team/web:v1

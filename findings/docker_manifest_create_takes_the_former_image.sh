#!/usr/bin/env bash
# Docker's command line 20.10.24: `docker manifest create --amend LIST IMAGE...`, run again after the tags of the images have
# moved, takes what they pointed at the first time, which it has kept below ~/.docker/manifests, and `docker manifest push`
# pushes the list of then, with exit code 0. After `push --purge` the tags are read again.
# Guess: some read the tags at each call, some know of the copy.
# Seen: a nightly job that pushes the images of two platforms and then their list goes on publishing those of the first night.
source "$(dirname "$0")/lib/setup.sh"
(cd "$folder" && { apt-get download -q docker.io=20.10.24+dfsg1-1+deb12u1+b6 || { apt-get update -q && apt-get download -q docker.io=20.10.24+dfsg1-1+deb12u1+b6; }; } && dpkg -x docker.io_*.deb debian) >/dev/null 2>&1
distribution_2
export DOCKER_CONFIG=$folder/config
docker() { "$folder/debian/usr/bin/docker" "$@" >/dev/null 2>&1; }
night() { python3 "$here/push_dated.py" "http://$host" web "$1" "$2"; }
create() { docker manifest create --insecure --amend "$host/web:v1" "$host/web:one" "$host/web:two"; }
list() {
  curl -s -H 'Accept: application/vnd.docker.distribution.manifest.list.v2+json' "http://$host/v2/web/manifests/v1" |
    python3 -c 'import json, sys; print(*sorted(each["digest"] for each in json.load(sys.stdin)["manifests"]))'
}
sorted() { printf '%s\n' "$@" | sort | xargs; }
is() { [[ $1 == "$2" ]] && echo yes || echo no; }
first=$(sorted "$(night one 2026-01-01T00:00:00Z)" "$(night two 2026-01-01T00:00:00Z)")
create
docker manifest push --insecure "$host/web:v1"
same "the first night's list" "$(is "$(list)" "$first")" yes
second=$(sorted "$(night one 2026-01-02T00:00:00Z)" "$(night two 2026-01-02T00:00:00Z)")
code=0
create && docker manifest push --insecure "$host/web:v1" || code=$?
same "exit code" "$code" 0
same "the second night's list" "$(is "$(list)" "$second")" no
same "still that of the first" "$(is "$(list)" "$first")" yes
docker manifest push --insecure --purge "$host/web:v1"
create
docker manifest push --insecure "$host/web:v1"
same "after --purge, that of the second" "$(is "$(list)" "$second")" yes

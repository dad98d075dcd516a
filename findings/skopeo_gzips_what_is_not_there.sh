#!/usr/bin/env bash
# skopeo 1.9.3: `copy` of an image whose layers are plain tar, from registry to registry, compresses them, and the copy has another
# digest; unless the destination has the layer already, then it is the same. `--preserve-digests` keeps it. crane 0.22.1
# and regctl 0.11.7 copy bytes.
# Guess: the same digest, since nothing asks for another format.
# Seen: two mirrors of one image differ by what was in them before; signatures and references by digest stay behind.
source "$(dirname "$0")/lib/setup.sh"
debian skopeo 1.9.3
go_tool github.com/google/go-containerregistry/cmd/crane@v0.22.1
go_tool github.com/regclient/regclient/cmd/regctl@v0.11.7
distribution_2
from=$host
distribution_2
# A cache of where layers are is in HOME, one for each copy.
copy() {
  mkdir "$folder/home-$1"
  HOME=$folder/home-$1 XDG_DATA_HOME=$folder/home-$1 skopeo --insecure-policy copy -q --src-tls-verify=false --dest-tls-verify=false "${@:2}" "docker://$from/web:v1" "docker://$host/$1:v1"
}
digest_of() { "$folder/bin/crane" digest --insecure "$1:v1"; }
alike() { [[ $(digest_of "$host/$1") == "$(digest_of "$from/web")" ]] && echo yes || echo no; }
host=$from push web v1 >/dev/null
copy empty
push full other >/dev/null
copy full
copy told --preserve-digests
"$folder/bin/crane" copy --insecure "$from/web:v1" "$host/crane:v1" 2>/dev/null
"$folder/bin/regctl" --host "reg=$from,tls=disabled" --host "reg=$host,tls=disabled" image copy "$from/web:v1" "$host/regctl:v1" >/dev/null
same "to where nothing is" "$(alike empty)" no
same "to where the layer is" "$(alike full)" yes
for name in told crane regctl; do same "$name" "$(alike $name)" yes; done

#!/usr/bin/env bash
# distribution 2.8.2 and 3.1.2: of `http: {host: "https://example.com/mirror"}`, for a proxy that serves the registry below a
# path and strips it, the addresses of uploads and manifests have the host and not the path; the next page of tags has neither.
# Guess: both are in all of them, as the setting is documented as a fully-qualified URL that is used for what it links to.
# Seen: a client goes on outside of the path. `http: {prefix: /mirror/}`, for a proxy that does not strip it, is in all of them.
source "$(dirname "$0")/lib/setup.sh"
distribution_2
go_tool github.com/distribution/distribution/v3/cmd/registry@v3.1.2
# serve BINARY SETTING PATH: its address with that path is in $base.
serve() {
  local port
  port=$(free_port)
  base=http://127.0.0.1:$port$3
  storage=$folder/data-$port
  mkdir "$storage"
  cat >"$folder/$port.yml" <<YML
version: 0.1
storage: {filesystem: {rootdirectory: $storage}}
http: {addr: "127.0.0.1:$port", $2}
log: {level: error}
YML
  "$1" serve "$folder/$port.yml" >/dev/null 2>&1 &
  servers+=($!)
  wait_for "$port"
}
# field NAME URL OPTION...: of the answer, without what is after the path.
field() { curl -s -i "${@:3}" "$2" | tr -d '\r' | sed -nE "s/^$1: <?([^?>]*).*/\1/Ip" | sed -E 's,/uploads/.*,/uploads/,; s,http://[^/]*,,'; }
for binary in "$folder/debian/usr/bin/docker-registry" "$folder/bin/registry"; do
  name=${binary##*/}
  serve "$binary" 'host: "https://example.com/mirror"' ""
  same "$name, host, upload" "$(field location "$base/v2/web/blobs/uploads/" -X POST)" https://example.com/v2/web/blobs/uploads/
  serve "$binary" "prefix: /mirror/" /mirror
  same "$name, prefix, upload" "$(field location "$base/v2/web/blobs/uploads/" -X POST)" /mirror/v2/web/blobs/uploads/
done
# The pages of one storage, which version 3 has for tags.
distribution "$folder/bin/registry"
for tag in a b; do push web $tag >/dev/null; done
stored=$folder/data-${host#*:}
for setting in 'host: "https://example.com/mirror"' "prefix: /mirror/"; do
  path=
  [[ $setting == prefix* ]] && path=/mirror
  serve "$folder/bin/registry" "$setting" "$path"
  cp -r "$stored/." "$storage"
  same "${setting%%:*}, next page of tags" "$(field link "$base/v2/web/tags/list?n=1")" "$path/v2/web/tags/list"
done

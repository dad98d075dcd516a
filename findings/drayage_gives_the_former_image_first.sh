#!/usr/bin/env bash
# drayage 0.2.9 (PyPI), a cache in front of registries, `manifest_ttl_seconds = 1`: when a tag has moved, the first pull after
# that time gets the former image, however long it has been, and only the next one the new image. A tag that is deleted
# upstream is served on. Lists of tags are answered with 404.
# Guess: the new image once the time is over; 404 for the deleted one; lists are handed on.
# Seen: who pulls once a day gets what was there the day before, each day.
source "$(dirname "$0")/lib/setup.sh"
python_with drayage==0.2.9
distribution_2
upstream=$host
oci=application/vnd.oci.image.manifest.v1+json
port=$(free_port)
mkdir "$folder/cache"
cat >"$folder/drayage.toml" <<TOML
listen = "127.0.0.1:$port"
cache_dir = "$folder/cache"
manifest_ttl_seconds = 1
[upstreams.up_example]
registry = "http://$upstream"
TOML
"$folder/venv/bin/drayage" serve --config "$folder/drayage.toml" >"$folder/drayage.log" 2>&1 &
servers+=($!)
wait_for "$port"
declare -A name
push_as() {
  local digest
  read -r digest _ < <(push web latest "$1")
  name[$digest]=$1
}
cache=http://127.0.0.1:$port/v2/up.example/web
# pulled: the name of what `latest` is.
pulled() {
  local digest
  digest=$(curl -s -H "Accept: $oci" "$cache/manifests/latest" | sha256sum | cut -d' ' -f1)
  echo "${name[sha256:$digest]:-nothing}"
}
push_as monday
same "pulled on Monday" "$(pulled)" monday
push_as tuesday
sleep 4
same "pulled on Tuesday" "$(pulled)" monday
sleep 2
push_as wednesday
sleep 4
same "pulled on Wednesday" "$(pulled)" tuesday
sleep 2
same "pulled on Wednesday again" "$(pulled)" wednesday
for digest in "${!name[@]}"; do curl -s -o /dev/null -X DELETE "http://$upstream/v2/web/manifests/$digest"; done
same "upstream, deleted" "$(status -H "Accept: $oci" "http://$upstream/v2/web/manifests/latest")" 404
sleep 2
same "pulled, deleted" "$(pulled)" wednesday
sleep 2
same "pulled, deleted, again" "$(pulled)" wednesday
same "list of tags" "$(status "$cache/tags/list")" 404

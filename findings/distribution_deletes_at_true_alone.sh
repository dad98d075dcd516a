#!/usr/bin/env bash
# distribution 2.8.2 and 3.1.2: `delete: {enabled: "true"}`, with quotes as templates write it, and
# REGISTRY_STORAGE_DELETE_ENABLED=1 in its environment are no: DELETE is answered by 405, and nothing is logged at the start.
# `true` without quotes, `yes` and `on` are yes, in the file and in the environment.
# Guess: yes, or an error at the start.
# Seen: a value that is not YAML's true or false is left out as if it were not there.
source "$(dirname "$0")/lib/setup.sh"
distribution_2
go_tool github.com/distribution/distribution/v3/cmd/registry@v3.1.2
nothing=sha256:$(printf %064d 0)
# deletes BINARY IN_FILE IN_ENVIRONMENT: the answer to a DELETE of what is not there, and the lines logged until then.
deletes() {
  local port
  port=$(free_port)
  cat >"$folder/one.yml" <<YML
version: 0.1
storage: {filesystem: {rootdirectory: $folder/one}${2:+, delete: {enabled: $2\}}}
http: {addr: "127.0.0.1:$port"}
log: {level: warn, accesslog: {disabled: true}}
YML
  if [[ $3 ]]; then export REGISTRY_STORAGE_DELETE_ENABLED=$3; else unset REGISTRY_STORAGE_DELETE_ENABLED; fi
  OTEL_TRACES_EXPORTER=none "$1" serve "$folder/one.yml" >"$folder/log" 2>&1 &
  servers+=($!)
  wait_for "$port"
  logged=$(grep -c -i delete "$folder/log" || true)
  seen="$(status -X DELETE "http://127.0.0.1:$port/v2/web/manifests/$nothing"), $logged"
}
for binary in "$folder/debian/usr/bin/docker-registry" "$folder/bin/registry"; do
  name=${binary##*/}
  for value in '"true"' '"yes"' 1; do deletes "$binary" "$value" "" && same "$name, file, $value" "$seen" "405, 0"; done
  for value in true yes on; do deletes "$binary" "$value" "" && same "$name, file, $value" "$seen" "404, 0"; done
  for value in 1 '"true"'; do deletes "$binary" "" "$value" && same "$name, environment, $value" "$seen" "405, 0"; done
  for value in true True yes; do deletes "$binary" "" "$value" && same "$name, environment, $value" "$seen" "404, 0"; done
done

#!/usr/bin/env bash
# regsync 0.11.7 with `backup`, by which the target's tag is kept under another name before it is overwritten: where the look at the
# tag, a HEAD, is answered by 401, 403 or 429, it copies without the backup, exits with 0, and says nothing of it.
# Guess: an error, and the tag as it was, but for 404.
# Seen: what cannot be seen is not there. The image that was is untagged, and what clean-ups look for.
source "$(dirname "$0")/lib/setup.sh"
source "$here/front.sh"
go_tool github.com/regclient/regclient/cmd/regsync@v0.11.7
distribution_2
front "$host"
push source v1 new >/dev/null
digest_of() { curl -sI -H 'Accept: application/vnd.oci.image.manifest.v1+json' "http://$host/v2/$1/manifests/$2" | tr -d '\r' | awk 'tolower($1) == "docker-content-digest:" { print $2 }'; }
# synced REPOSITORY: the exit code, whether v1 is overwritten, and whether the former one has a tag.
synced() {
  local code=0 before
  read -r before _ < <(push "$1" v1 old)
  cat >"$folder/regsync.yml" <<YML
version: 1
creds: [{registry: "$front", tls: disabled}, {registry: "$host", tls: disabled}]
defaults: {backup: "before-{{.Ref.Tag}}"}
sync: [{source: "$host/source:v1", target: "$front/$1:v1", type: image}]
YML
  HOME=$folder "$folder/bin/regsync" -c "$folder/regsync.yml" once >"$folder/log" 2>&1 || code=$?
  echo "$code, $([[ $(digest_of "$1" v1) == "$before" ]] && echo kept || echo overwritten), $([[ $(digest_of "$1" before-v1) == "$before" ]] && echo backup || echo none)"
}
same "not refused" "$(synced plain)" "0, overwritten, backup"
for status in 401 403 429; do
  refused $status HEAD/v2/at-$status/manifests/v1
  same "$status" "$(synced at-$status)" "0, overwritten, none"
  same "warnings and errors of it" "$(grep -cE 'level=(WARN|ERROR)' "$folder/log" || true)" 0
done

#!/usr/bin/env bash
# skopeo 1.9.3: where registries.conf gives a registry another `location`, images are read from there, by `copy` and `inspect
# --no-tags`; `list-tags`, `inspect` for its list of tags, `delete` and what is written go to the registry that is named.
# Guess: the list alone goes there; `location` is for all, only a mirror for reading.
# Seen: one command shows the digest of one registry and the tags of the other; what is read is not what is deleted.
source "$(dirname "$0")/lib/setup.sh"
debian skopeo 1.9.3
distribution_2
named=$host
push web named named >/dev/null
push web v1 "v1, named" >/dev/null
distribution_2
elsewhere=$host
push web elsewhere elsewhere >/dev/null
read -r digest_elsewhere _ <<<"$(push web v1 "v1, elsewhere")"
mkdir -p "$folder/.config/containers"
export HOME=$folder
cat >"$folder/.config/containers/registries.conf" <<TOML
[[registry]]
prefix = "$named"
location = "$elsewhere"
insecure = true
TOML
tags() { curl -s "http://$1/v2/web/tags/list" | python3 -c 'import json, sys; print(*sorted(json.load(sys.stdin)["tags"]))'; }
copy() { skopeo --insecure-policy copy -q "$@"; }
same "inspect, the digest" "$(skopeo inspect --format '{{.Digest}}' "docker://$named/web:v1")" "$digest_elsewhere"
same "inspect, the tags" "$(skopeo inspect --format '{{range .RepoTags}}{{.}} {{end}}' "docker://$named/web:v1" | xargs -n 1 | sort | xargs)" "named v1"
same "list-tags" "$(skopeo list-tags "docker://$named/web" | python3 -c 'import json, sys; print(*sorted(json.load(sys.stdin)["Tags"]))')" "named v1"
copy "docker://$named/web:elsewhere" "dir:$folder/copied"
copy "dir:$folder/copied" "docker://$named/web:v2"
same "after a copy to v2, the named one" "$(tags "$named")" "named v1 v2"
same "and the other" "$(tags "$elsewhere")" "elsewhere v1"
skopeo delete "docker://$named/web:v1"
same "after delete of v1, the named one" "$(tags "$named" | xargs)" "named v2"
same "and the other" "$(tags "$elsewhere")" "elsewhere v1"

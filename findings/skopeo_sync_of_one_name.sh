#!/usr/bin/env bash
# skopeo 1.9.3: `sync` from a YAML file leaves out all of a repository's path but its last part. Of eight repositories
# TEAM/web one arrives, by chance another in each run, and "Synced 8 images from 8 sources" is logged, exit code 0.
# Guess: the last one of the file.
# Seen: more than one winner in six runs; the digest behind a tag of the mirror changes though no source has changed.
source "$(dirname "$0")/lib/setup.sh"
debian skopeo 1.9.3
distribution_2
{
  printf '"%s":\n  tls-verify: false\n  images:\n' "$host"
  for team in 1 2 3 4 5 6 7 8; do
    push team-$team/web v1 "team $team" >/dev/null
    echo "    team-$team/web: [v1]"
  done
} >"$folder/sync.yml"
image() { skopeo inspect --config --tls-verify=false "docker://$host/mirror/web:v1" | python3 -c 'import json, sys; print(json.load(sys.stdin)["author"])'; }
for _ in 1 2 3 4 5 6; do
  skopeo --insecure-policy sync --src yaml --dest docker --dest-tls-verify=false "$folder/sync.yml" "$host/mirror" >"$folder/log" 2>&1
  image
done >"$folder/winners"
same "its log" "$(grep -o 'Synced 8 images from 8 sources' "$folder/log")" "Synced 8 images from 8 sources"
same "repositories in the mirror" "$(curl -s "http://$host/v2/_catalog" | python3 -c 'import json, sys; print(*(one for one in json.load(sys.stdin)["repositories"] if one.startswith("mirror")))')" mirror/web
same "more than one winner" "$([[ $(sort -u "$folder/winners" | wc -l) -gt 1 ]] && echo yes || echo no)" yes

#!/usr/bin/env bash
# docker-registry-purger 0.1.1 (PyPI) asks distribution 2.8.2 for a manifest without an Accept header, and gets one that is made
# for the occasion, of Docker's first schema: the digest in its answer is that of nothing which is there. The
# tool logs "Deleting", gets 404 for each, and exits with 0.
# Guess: it deletes by digest, and with it tags that share one.
# Seen: all is kept. What `curl -I` without Accept shows as Docker-Content-Digest can be pulled or deleted by nobody.
source "$(dirname "$0")/lib/setup.sh"
python_with docker-registry-purger==0.1.1 isodate==0.6.1
distribution_2
real=()
for number in 1 2 3 4; do real+=("$(python3 "$here/push_dated.py" "http://$host" web v$number 2020-01-0${number}T00:00:00Z)"); done
shown=$(curl -sI "http://$host/v2/web/manifests/v1" | tr -d '\r' | awk 'tolower($1) == "docker-content-digest:" { print $2 }')
same "the digest of v1" "$([[ $shown == "${real[0]}" ]] && echo yes || echo no)" no
same "GET of it" "$(status "http://$host/v2/web/manifests/$shown")" 404
same "DELETE of it" "$(status -X DELETE "http://$host/v2/web/manifests/$shown")" 404
code=0
"$folder/venv/bin/docker-registry-purger" "http://$host" --min-kept 1 --max-age 30 2>"$folder/log" || code=$?
same "exit code" "$code" 0
same "Deleting" "$(grep -c Deleting "$folder/log")" 3
for number in 1 2 3 4; do
  same "v$number" "$(status "http://$host/v2/web/manifests/${real[number - 1]}" -H 'Accept: application/vnd.docker.distribution.manifest.v2+json')" 200
done

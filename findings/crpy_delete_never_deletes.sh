#!/usr/bin/env bash
# crpy 0.4.0: `crpy delete` of a tag ends in a KeyError at distribution 2.8.2 and 3.1.2: it looks for a header's name in lower case in
# a dict that has it as the server wrote it.
# Guess: the manifest is deleted by its digest, as its documentation says.
# Seen: exit code 1, and the tag is listed as before.
source "$(dirname "$0")/lib/setup.sh"
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check crpy==0.4.0
for server in distribution_2 distribution_3; do
  $server
  push web v1 >/dev/null
  code=0
  seen=$(HOME=$folder "$folder/venv/bin/crpy" -k delete "http://$host/web:v1" 2>&1) || code=$?
  same "$server, exit code" "$code" 1
  same "$server, its last line" "$(tail -1 <<<"$seen")" "KeyError: 'docker-content-digest'"
  same "$server, tags" "$(curl -s "http://$host/v2/web/tags/list" | tr -d ' \n')" '{"name":"web","tags":["v1"]}'
done

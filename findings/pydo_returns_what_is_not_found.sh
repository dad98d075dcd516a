#!/usr/bin/env bash
# pydo 0.44.0, DigitalOcean's own client for Python: a 404 of the container registry's calls is returned, not raised: its dict
# has `id` and `message`. A delete that has found nothing ends as one that has deleted, but for None and a dict; 400, 409,
# 412 and 429 are raised.
# Guess: HttpResponseError for each status that is not a success.
# Seen: to list the tags of a repository that is not there gives a dict without `tags`, and `.get("tags", [])` no tags.
source "$(dirname "$0")/lib/setup.sh"
python_with pydo==0.44.0 azure-core==1.41.0
port=$(free_port)
server - "$port" <<'PY' &
from answering import Answering, serve


class Handler(Answering):
    def get(self):
        name = self.path.split("/")[3] if self.path.count("/") > 3 else ""
        status = int(name) if name.isdigit() else 200
        if status == 200 and self.command == "DELETE":
            status = 204
        failed = {"id": "failed", "message": f"answered by {status}"}
        self.answer(status, None if status == 204 else failed if status >= 400 else {"tags": []})

    delete = get


serve(Handler)
PY
servers+=($!)
wait_for "$port"
cat >"$folder/ask.py" <<'PY'
import sys

from azure.core.exceptions import HttpResponseError
from azure.core.pipeline.policies import SansIOHTTPPolicy
from pydo import Client

port, call, registry = sys.argv[1:]
# Without its own policy, since that sends a token over TLS alone.
client = Client("none", endpoint=f"http://127.0.0.1:{port}", authentication_policy=SansIOHTTPPolicy(), retry_total=0)
calls = {
    "list": lambda: client.registry.list_repository_tags(registry, "web"),
    "delete tag": lambda: client.registry.delete_repository_tag(registry, "web", "v1"),
    "delete manifest": lambda: client.registry.delete_repository_manifest(registry, "web", "sha256:00"),
}
try:
    print(calls[call]())
except HttpResponseError as error:
    print("raised", error.status_code)
PY
ask() { python "$folder/ask.py" "$port" "$@"; }
same "list" "$(ask list registry)" "{'tags': []}"
same "delete tag" "$(ask "delete tag" registry)" None
same "delete manifest" "$(ask "delete manifest" registry)" None
for call in list "delete tag" "delete manifest"; do
  same "$call, 404" "$(ask "$call" 404)" "{'id': 'failed', 'message': 'answered by 404'}"
  for code in 400 409 412 429; do same "$call, $code" "$(ask "$call" $code)" "raised $code"; done
done

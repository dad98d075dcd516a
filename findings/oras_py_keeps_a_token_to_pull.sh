#!/usr/bin/env bash
# oras-py 0.2.43: a push looks first whether a blob is there, gets a token to pull for that, and sends it with the
# upload as well. Refused with 401 and the scope `pull,push`, it sends the same token again and gives up.
# Guess: a second token, for the scope of the second challenge, as the others have it.
# Seen: one token is asked for, and the push fails at registries whose challenges name what each request needs.
source "$(dirname "$0")/lib/setup.sh"
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check oras==0.2.43
port=$(free_port)
python3 "$here/token_registry.py" "$port" >"$folder/scopes" &
servers+=($!)
wait_for "$port"
cd "$folder"
echo content >file
code=0
"$folder/venv/bin/python" -c '
import sys
from oras.provider import Registry
Registry(insecure=True).push(target=sys.argv[1], files=["file"])' "127.0.0.1:$port/web:v1" >/dev/null 2>&1 || code=$?
same "exit code" "$code" 1
same "scopes" "$(cat "$folder/scopes")" repository:web:pull

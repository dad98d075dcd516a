#!/usr/bin/env bash
# A blob whose PUT arrives with other bytes than its digest says is refused with 400 by all; sent again, whole, to the same
# address, it is 404 by distribution 2.8.2, 416 by 3.1.2, which has kept the wrong bytes, and 201 by `crane registry serve`
# 0.22.1. After a PATCH, a PUT with a wrong digest and one with the right digest, it is 201 by all.
# Guess: an upload that was refused is gone, 404.
# Seen: three answers. A PUT that has succeeded, sent again as its answer was lost, is 404 by both versions of distribution.
source "$(dirname "$0")/lib/setup.sh"
cat >"$folder/ask.py" <<'PY'
import hashlib
import sys
import urllib.error
import urllib.request
from urllib.parse import urljoin

base = sys.argv[1]


def ask(method, url, body=None):
    request = urllib.request.Request(url, body, {"Content-Type": "application/octet-stream"}, method=method)
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, urljoin(url, answer.headers.get("Location", url)), answer.headers.get("Range")
    except urllib.error.HTTPError as refused:
        return refused.code, url, None


def start():
    return ask("POST", f"{base}/v2/web/blobs/uploads/", b"")[1]


def put(place, body, meant):
    digest = f"sha256:{hashlib.sha256(meant).hexdigest()}"
    return ask("PUT", f"{place}{'&' if '?' in place else '?'}digest={digest}", body)[0]


place = start()
print(put(place, b"a blab", b"a blob"), ask("GET", place)[2], put(place, b"a blob", b"a blob"))
_, place, _ = ask("PATCH", start(), b"one")
print(put(place, b"", b"two"), put(place, b"", b"one"))
place = start()
print(put(place, b"three", b"three"), put(place, b"three", b"three"))
PY
# asked NAME WHOLE PATCHED TWICE
asked() {
  mapfile -t seen < <(python3 "$folder/ask.py" "http://$host")
  same "$1, wrong bytes, what is kept, the right ones" "${seen[0]}" "$2"
  same "$1, after a PATCH" "${seen[1]}" "$3"
  same "$1, twice" "${seen[2]}" "$4"
}
distribution_2
asked "distribution 2.8.2" "400 None 404" "400 201" "201 404"
distribution_3
asked "distribution 3.1.2" "400 0-5 416" "400 201" "201 404"
source "$here/crane_serve.sh"
asked crane "400 None 201" "400 201" "201 201"

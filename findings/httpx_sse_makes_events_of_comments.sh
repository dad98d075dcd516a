#!/usr/bin/env bash
# Server-sent events with an `id`, then comments, with which a server keeps a connection open: httpx-sse 0.4.3 makes an event
# of each comment, with the last id and no data. sseclient-py 1.9.0 (PyPI) and eventsource-parser
# 3.1.1 (npm) give the events alone. An event that ends without an empty line is dropped by all but sseclient-py.
# Guess: comments are left out by all.
# Seen: 3 events of one by httpx-sse; before the first id it leaves comments out. Who reads each event's data as JSON fails.
source "$(dirname "$0")/lib/setup.sh"
python_with httpx==0.28.1 httpx-sse==0.4.3 sseclient-py==1.9.0
node_with eventsource-parser@3.1.1
cat >"$folder/serve.py" <<'PY'
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BODIES = {
    "/comments": b"id: 7\ndata: one\n\n: still here\n\n: still here\n\n",
    "/before": b": still here\n\nid: 7\ndata: one\n\n",
    "/unfinished": b"data: one\n\ndata: two\n",
}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        self.wfile.write(BODIES.get(self.path, b""))

    def log_message(self, *_):
        pass


ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
PY
cat >"$folder/by.py" <<'PY'
import sys

name, url = sys.argv[1:]


if name == "httpx-sse":
    import httpx
    from httpx_sse import connect_sse

    with httpx.Client() as client, connect_sse(client, "GET", url) as source:
        found = [event.data for event in source.iter_sse()]
else:
    import urllib.request

    from sseclient import SSEClient

    found = [event.data for event in SSEClient(urllib.request.urlopen(url)).events()]
print(*(data or "-" for data in found))
PY
cat >"$folder/by.mjs" <<'JS'
import { createParser } from "eventsource-parser";

const found = [];
const parser = createParser({ onEvent: ({ data }) => found.push(data || "-") });
parser.feed(await (await fetch(process.argv[2])).text());
console.log(...found);
JS
port=$(free_port)
python3 "$folder/serve.py" "$port" &
servers+=($!)
wait_for "$port"
# events NAME PATH: the data of each, `-` for none.
events() {
  case $1 in
    eventsource-parser) (cd "$folder" && node --no-warnings by.mjs "http://127.0.0.1:$port/$2") ;;
    *) python -W ignore "$folder/by.py" "$1" "http://127.0.0.1:$port/$2" 2>/dev/null ;;
  esac
}
same "httpx-sse, comments behind an id" "$(events httpx-sse comments)" "one - -"
same "httpx-sse, a comment before it" "$(events httpx-sse before)" "one"
for name in sseclient-py eventsource-parser; do same "$name, comments behind an id" "$(events $name comments)" "one"; done
same "sseclient-py, an unfinished event" "$(events sseclient-py unfinished)" "one two"
for name in httpx-sse eventsource-parser; do same "$name, an unfinished event" "$(events $name unfinished)" "one"; done

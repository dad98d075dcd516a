"""The beginning of a registry with tokens: token_registry.py PORT.

It prints the scopes that are asked for. HEAD of a blob wants a token to pull, POST of an upload one
to push; a token is the scope that it is for.
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        url = urlsplit(self.path)
        if url.path == "/token":
            scope = parse_qs(url.query).get("scope", [""])[0]
            print(scope, flush=True)
            return self.answer(200, {"token": scope})
        return self.answer(200, {})

    def do_HEAD(self):
        self.check("pull", 404)

    def do_POST(self):
        self.check("pull,push", 403)

    def check(self, actions, status):
        scope = f"repository:web:{actions}"
        if self.headers.get("Authorization") == f"Bearer {scope}":
            return self.answer(status, {})
        realm = f'Bearer realm="http://{self.headers["Host"]}/token",service="here",scope="{scope}"'
        return self.answer(401, {"errors": [{"code": "UNAUTHORIZED"}]}, {"WWW-Authenticate": realm})

    def answer(self, status, document, more=()):
        body = b"" if self.command == "HEAD" else json.dumps(document).encode()
        self.send_response(status)
        for name, value in {**dict(more), "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()

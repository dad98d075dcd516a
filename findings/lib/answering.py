"""The part that servers of findings share: quiet ones of HTTP/1.1 on loopback, with JSON answers.

What answers GET is called `get`, and so for each method.
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Answering(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __getattr__(self, name):
        if name.startswith("do_"):
            return getattr(self, name.removeprefix("do_").lower())
        raise AttributeError(name)

    def get(self):
        self.answer(200, {})

    def body(self):
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def answer(self, status, document=None, more=()):
        """Sends the document as JSON, or no body for None; `more` are more headers, or others."""
        body = b"" if document is None else json.dumps(document).encode()
        self.send_response(status)
        headers = {"Content-Type": "application/json", "Content-Length": str(len(body))}
        for name, value in {**headers, **dict(more)}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_):
        pass


def serve(handler, port=None):
    """Serves for ever, at the port that is the first argument unless told."""
    ThreadingHTTPServer(("127.0.0.1", int(port or sys.argv[1])), handler).serve_forever()

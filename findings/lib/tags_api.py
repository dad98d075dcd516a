"""The vendor's calls for a list of 450 tags: tags_api.py PORT. Its third page is refused."""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

TAGS = [{"tag": f"v{number}", "repository": "web"} for number in range(450)]
REFUSED = "3"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        url = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        page = int(query.get("page", 1))
        if not url.path.endswith("/tags"):
            return self.answer(200, {"registry": {"name": "example"}})
        if query.get("page") == REFUSED:
            return self.answer(400, {"id": "bad_request", "message": "no"})
        here = f"http://{self.headers['Host']}{url.path}"
        more = {"next": f"{here}?page={page + 1}", "last": f"{here}?page=3"} if page < 3 else {}
        found = TAGS[200 * (page - 1) : 200 * page]
        body = {"tags": found, "meta": {"total": len(TAGS)}, "links": {"pages": more}}
        return self.answer(200, body)

    def answer(self, status, document):
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()

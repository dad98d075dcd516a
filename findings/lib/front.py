"""A registry's front: front.py PORT BEHIND TOLD.

It hands each request on to the registry BEHIND, but for those that the file TOLD names, as
"STATUS PART": where PART is in "METHOD/path", the answer is that status.
"""

import sys
import urllib.error
import urllib.request
from pathlib import Path

from answering import Answering, serve

port, behind, told = sys.argv[1:]
LEFT_OUT = ("host", "connection", "date", "server", "transfer-encoding")


class Handler(Answering):
    def get(self):
        data = self.body() or None
        status, part = Path(told).read_text().split()
        if part in self.command + self.path:
            return self.answer(int(status), {"errors": [{"code": "DENIED"}]})
        kept = {
            name: ", ".join(self.headers.get_all(name))
            for name in self.headers
            if name.lower() not in LEFT_OUT
        }
        asked = urllib.request.Request(
            f"http://{behind}{self.path}", data, kept, method=self.command
        )
        try:
            answer = urllib.request.urlopen(asked)
        except urllib.error.HTTPError as refused:
            answer = refused
        body = answer.read()
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            if name.lower() not in LEFT_OUT:
                self.send_header(name, value.replace(behind, f"127.0.0.1:{port}"))
        self.end_headers()
        return self.wfile.write(b"" if self.command == "HEAD" else body)

    head = post = put = patch = delete = get


serve(Handler, port)

"""A registry that has one list of tags: answers.py PORT HOW.

HOW begins with a word. `link VALUE`: the list has two pages, and VALUE is the Link header of the
first. `basic`: it wants the password of `anna`, which is `secret`; who else asks is printed.
`later VALUE`: its first answer is a 429 with that Retry-After (`date`: the time in 4 seconds); the
seconds since that answer are printed.
"""

import base64
import sys
import time
from urllib.parse import parse_qs, urlsplit

from answering import Answering, serve

HOW, _, VALUE = sys.argv[2].partition(" ")
refused = []


class Handler(Answering):
    def get(self):
        url = urlsplit(self.path)
        if not url.path.endswith("/tags/list"):
            return self.refuse() if HOW == "basic" else self.answer(200, {})
        return getattr(self, HOW)(parse_qs(url.query))

    def tags(self, *names, more=()):
        self.answer(200, {"name": "web", "tags": names}, more)

    def link(self, query):
        if query.get("last") == ["b"]:
            return self.tags("c", "d")
        return self.tags("a", "b", more={"Link": VALUE})

    def basic(self, _query):
        login = self.headers.get("Authorization", "Basic ").removeprefix("Basic ")
        user = base64.b64decode(login).decode()
        if user == "anna:secret":
            return self.tags("a")
        print(user.partition(":")[0] or "nobody", flush=True)
        return self.refuse()

    def refuse(self):
        self.answer(
            401,
            {"errors": [{"code": "UNAUTHORIZED"}]},
            {"WWW-Authenticate": 'Basic realm="here"'},
        )

    def later(self, _query):
        if refused:
            print(f"{time.monotonic() - refused[0]:.1f}", flush=True)
            return self.tags("a")
        refused.append(time.monotonic())
        after = self.date_time_string(time.time() + 4) if VALUE == "date" else VALUE
        return self.answer(429, {"errors": [{"code": "TOOMANYREQUESTS"}]}, {"Retry-After": after})


serve(Handler)

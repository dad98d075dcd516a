"""The beginning of a registry with tokens: token_registry.py PORT.

It prints the scopes that are asked for. HEAD of a blob wants a token to pull, POST of an upload one
to push; a token is the scope that it is for.
"""

from urllib.parse import parse_qs, urlsplit

from answering import Answering, serve


class Handler(Answering):
    def get(self):
        url = urlsplit(self.path)
        if url.path == "/token":
            scope = parse_qs(url.query).get("scope", [""])[0]
            print(scope, flush=True)
            return self.answer(200, {"token": scope})
        return self.answer(200, {})

    def head(self):
        self.check("pull", 404)

    def post(self):
        self.check("pull,push", 403)

    def check(self, actions, status):
        scope = f"repository:web:{actions}"
        if self.headers.get("Authorization") == f"Bearer {scope}":
            return self.answer(status, {})
        realm = f'Bearer realm="http://{self.headers["Host"]}/token",service="here",scope="{scope}"'
        return self.answer(401, {"errors": [{"code": "UNAUTHORIZED"}]}, {"WWW-Authenticate": realm})


serve(Handler)

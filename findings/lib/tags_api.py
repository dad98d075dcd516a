"""The vendor's calls for a list of 450 tags: tags_api.py PORT. Its third page is refused."""

from urllib.parse import parse_qs, urlsplit

from answering import Answering, serve

TAGS = [{"tag": f"v{number}", "repository": "web"} for number in range(450)]
REFUSED = "3"


class Handler(Answering):
    def get(self):
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


serve(Handler)

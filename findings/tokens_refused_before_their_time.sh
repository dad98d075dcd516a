#!/usr/bin/env bash
# A registry refuses a token before its `expires_in` is over, as when its key changes: 401 with the same challenge for the
# second page of a list of tags. crane 0.22.1 and oras 1.3.6 get another token and go on. regctl 0.11.7, skopeo 1.9.3 and
# oras-py 0.2.43 fail, skopeo with "invalid username/password".
# Guess: crane, regctl and skopeo go on; oras and oras-py fail.
# Seen: oras goes on, regctl and skopeo do not. A long list has to be begun again there.
source "$(dirname "$0")/lib/setup.sh"
go_tool github.com/google/go-containerregistry/cmd/crane@v0.22.1
go_tool oras.land/oras/cmd/oras@v1.3.6
go_tool github.com/regclient/regclient/cmd/regctl@v0.11.7
debian skopeo 1.9.3
python_with oras==0.2.43
port=$(free_port)
host=127.0.0.1:$port
# A token is good for one page.
server - "$port" <<'PY' &
import itertools
import sys

from answering import Answering, serve

given = itertools.count()
known = set()


class Handler(Answering):
    def get(self):
        path, _, query = self.path.partition("?")
        if path == "/token":
            token = f"token{next(given)}"
            known.add(token)
            return self.answer(200, {"token": token, "expires_in": 300})
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if token not in known:
            realm = f'Bearer realm="http://{self.headers["Host"]}/token",service="here",scope="repository:web:pull"'
            return self.answer(401, {"errors": [{"code": "UNAUTHORIZED"}]}, {"WWW-Authenticate": realm})
        if not path.endswith("/tags/list"):
            return self.answer(200, {})
        known.discard(token)
        if "last=b" in query:
            return self.answer(200, {"name": "web", "tags": ["c", "d"]})
        more = {"Link": '</v2/web/tags/list?last=b&n=2>; rel="next"'}
        return self.answer(200, {"name": "web", "tags": ["a", "b"]}, more)


serve(Handler)
PY
servers+=($!)
wait_for "$port"
HOME=$folder "$folder/bin/regctl" registry set --tls disabled "$host" >/dev/null
# tags COMMAND...: what it lists, or that it fails.
tags() {
  if HOME=$folder "$@" >"$folder/tags" 2>"$folder/errors"; then grep -oE '\b[abcd]\b' "$folder/tags" | xargs; else echo fails; fi
}
same crane "$(tags "$folder/bin/crane" ls --insecure "$host/web")" "a b c d"
same oras "$(tags "$folder/bin/oras" repo tags --plain-http "$host/web")" "a b c d"
same regctl "$(tags "$folder/bin/regctl" tag ls "$host/web")" fails
same skopeo "$(tags skopeo list-tags --tls-verify=false "docker://$host/web")" fails
grep -q "invalid username/password" "$folder/errors"
same oras-py "$(tags python -c 'import sys; from oras.client import OrasClient; print(*OrasClient(insecure=True).get_tags(sys.argv[1]))' "$host/web")" fails

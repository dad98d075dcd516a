#!/usr/bin/env bash
# A registry that has moved answers DELETE with 301 or 302 (the old name of a host, http in front of https): crane 0.22.1
# and doctl 1.166.0 ask for the new address with GET, take its 200 for an answer, and end with exit code 0; python-dxf 12.1.1
# does so at 302. oras 1.3.6, regctl 0.11.7 and skopeo 1.9.3 ask with GET as well, and fail since it is no 202.
# Guess: crane and doctl as seen, dxf at 302, and that oras-py fails at 301; others guess that all fail, or delete.
# Seen: so, but oras-py 0.2.43 deletes at 301, as every client does at 307 and 308. Nothing is deleted, and nobody is told.
source "$(dirname "$0")/lib/setup.sh"
go_tool github.com/google/go-containerregistry/cmd/crane@v0.22.1
go_tool oras.land/oras/cmd/oras@v1.3.6
go_tool github.com/regclient/regclient/cmd/regctl@v0.11.7
debian skopeo 1.9.3
python_with python-dxf==12.1.1 oras==0.2.43
source "$here/doctl.sh"
# moved STATUS: a registry, and the vendor's calls, whose addresses end in `?moved`; the methods of what comes there are in a file.
moved() {
  local port
  port=$(free_port)
  host=127.0.0.1:$port
  server - "$port" "$1" >"$folder/asked" <<'PY' &
import hashlib
import json
import sys

from answering import Answering, serve

TYPE = "application/vnd.oci.image.manifest.v1+json"
MANIFEST = {
    "schemaVersion": 2,
    "mediaType": TYPE,
    "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": f"sha256:{'0' * 64}", "size": 2},
    "layers": [],
}


class Handler(Answering):
    def get(self):
        if "moved" in self.path:
            print(self.command, flush=True)
        if "/manifests/" not in self.path:
            return self.answer(200, {})
        found = hashlib.sha256(json.dumps(MANIFEST).encode()).hexdigest()
        more = {"Content-Type": TYPE, "Docker-Content-Digest": f"sha256:{found}"}
        return self.answer(200, MANIFEST, more)

    head = get

    def delete(self):
        if "moved" in self.path:
            print(self.command, flush=True)
            return self.answer(202)
        there = f"http://{self.headers['Host']}{self.path}?moved"
        return self.answer(int(sys.argv[2]), None, {"Location": there})


serve(Handler)
PY
  servers+=($!)
  wait_for "$port"
  digest=sha256:$(curl -s "http://$host/v2/web/manifests/v1" | sha256sum | cut -d' ' -f1)
  HOME=$folder "$folder/bin/regctl" registry set --tls disabled "$host" >/dev/null
}
# deleted COMMAND...: whether it says so, and the method at the new address.
deleted() {
  local before says=yes
  before=$(wc -l <"$folder/asked")
  HOME=$folder "$@" >/dev/null 2>&1 || says=no
  echo "$says, $(tail -n +$((before + 1)) "$folder/asked" | xargs)"
}
by() {
  case $1 in
    crane) deleted "$folder/bin/crane" delete --insecure "$host/web@$digest" ;;
    doctl) deleted doctl registries repository delete-manifest here web "$digest" --force ;;
    oras) deleted "$folder/bin/oras" manifest delete --force --plain-http "$host/web@$digest" ;;
    regctl) deleted "$folder/bin/regctl" manifest delete "$host/web@$digest" ;;
    skopeo) deleted skopeo delete --tls-verify=false "docker://$host/web@$digest" ;;
    dxf) deleted python -c 'import sys; from dxf import DXF; DXF(sys.argv[1], "web", insecure=True)._request("delete", "manifests/" + sys.argv[2])' "$host" "$digest" ;;
    oras-py) deleted python -c 'import sys; from oras.client import OrasClient; OrasClient(insecure=True).delete_tags(sys.argv[1], ["v1"])' "$host/web" ;;
  esac
}
# each STATUS NAME=SEEN...
each() {
  local status=$1 one
  moved "$status"
  for one in "${@:2}"; do same "${one%%=*}, $status" "$(by "${one%%=*}")" "${one#*=}"; done
}
each 301 crane="yes, GET" doctl="yes, GET" oras="no, GET" regctl="no, GET" skopeo="no, GET" dxf="yes, DELETE" oras-py="yes, DELETE"
each 302 crane="yes, GET" doctl="yes, GET" oras="no, GET" regctl="no, GET" skopeo="no, GET" dxf="yes, GET" oras-py="no, GET"
each 307 crane="yes, DELETE" doctl="yes, DELETE" oras="yes, DELETE" regctl="yes, DELETE" skopeo="yes, DELETE" dxf="yes, DELETE" oras-py="yes, DELETE"

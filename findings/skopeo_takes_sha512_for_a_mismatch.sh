#!/usr/bin/env bash
# skopeo 1.9.3: an image by a digest of SHA-512, which OCI's specification has registered, "does not match": it is compared
# with one of SHA-256. crane 0.22.1, oras 1.3.6, regctl 0.11.7 and oras-py 0.2.43 read it.
# Guess: crane refuses SHA-512, all others read it.
# Seen: as said; `inspect --raw`, which compares nothing, prints the manifest. Its error reads as if it were corrupt.
source "$(dirname "$0")/lib/setup.sh"
debian skopeo 1.9.3
python_with oras==0.2.43
go_tool github.com/google/go-containerregistry/cmd/crane@v0.22.1
go_tool oras.land/oras/cmd/oras@v1.3.6
go_tool github.com/regclient/regclient/cmd/regctl@v0.11.7
cat >"$folder/serve.py" <<'PY'
import hashlib
import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CONFIG = b'{"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}}'
OCI = "application/vnd.oci.image"
config_digest = f"sha256:{hashlib.sha256(CONFIG).hexdigest()}"
document = {
    "schemaVersion": 2,
    "mediaType": f"{OCI}.manifest.v1+json",
    "config": {"mediaType": f"{OCI}.config.v1+json", "digest": config_digest, "size": len(CONFIG)},
    "layers": [],
}
MANIFEST = json.dumps(document).encode()
digest = f"sha512:{hashlib.sha512(MANIFEST).hexdigest()}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        last = self.path.rpartition("/")[2]
        if last not in (digest, config_digest, ""):
            return self.answer(404, b"{}", "application/json")
        if last == digest:
            return self.answer(200, MANIFEST, f"{OCI}.manifest.v1+json", digest)
        return self.answer(200, CONFIG if last else b"{}", "application/octet-stream")

    do_HEAD = do_GET

    def answer(self, status, body, kind, of=None):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if of is not None:
            self.send_header("Docker-Content-Digest", of)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *_):
        pass


print(digest, flush=True)
ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
PY
port=$(free_port)
host=127.0.0.1:$port
python3 "$folder/serve.py" "$port" >"$folder/digest" 2>/dev/null &
servers+=($!)
wait_for "$port"
export HOME=$folder
image=$host/web@$(cat "$folder/digest")
read_by() {
  case $1 in
    crane) "$folder/bin/crane" manifest --insecure "$image" ;;
    oras) "$folder/bin/oras" manifest fetch --plain-http "$image" ;;
    regctl) "$folder/bin/regctl" --host "reg=$host,tls=disabled" manifest get --format raw-body "$image" ;;
    oras-py) python -c 'import json, sys; from oras.client import OrasClient; print(json.dumps(OrasClient(insecure=True).get_manifest(sys.argv[1])))' "$image" ;;
    skopeo) skopeo inspect --tls-verify=false "docker://$image" ;;
    skopeo-raw) skopeo inspect --raw --tls-verify=false "docker://$image" ;;
  esac 2>&1 | grep -oE 'schemaVersion|does not match' | head -1
}
for name in crane oras regctl oras-py skopeo-raw; do
  same $name "$(read_by $name)" schemaVersion
done
same skopeo "$(read_by skopeo)" "does not match"

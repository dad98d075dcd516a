# Sourced after setup.sh: a registry whose address is in $upstream, and the same binary as its mirror, in $mirror.

OCI_MANIFEST='Accept: application/vnd.oci.image.manifest.v1+json'

# mirrored_by VERSION [SETTING]: 2 is Debian's distribution 2.8.2, 3 is 3.1.2; SETTING is one more line of `proxy`.
mirrored_by() {
  local binary port
  case $1 in
    2) distribution_2 && binary=$folder/debian/usr/bin/docker-registry ;;
    3) distribution_3 && binary=$folder/bin/registry ;;
  esac
  upstream=$host
  upstream_process=${servers[-1]}
  port=$(free_port)
  mirror=127.0.0.1:$port
  mkdir "$folder/mirror-$port"
  cat >"$folder/mirror-$port.yml" <<YML
version: 0.1
storage: {filesystem: {rootdirectory: $folder/mirror-$port}, delete: {enabled: true}}
http: {addr: $mirror}
proxy: {remoteurl: "http://$upstream"${2:+, $2}}
log: {level: error}
YML
  "$binary" serve "$folder/mirror-$port.yml" >"$folder/mirror-$port.log" 2>&1 &
  servers+=($!)
  wait_for "$port"
}

# stop_upstream: nobody answers there any more.
stop_upstream() {
  kill "$upstream_process"
  wait "$upstream_process" 2>/dev/null || true
}

# throttle_upstream: each request there is answered by a 429.
throttle_upstream() {
  stop_upstream
  server - "${upstream#*:}" <<'PY' &
from answering import Answering, serve


class Handler(Answering):
    def get(self):
        self.answer(200 if self.path == "/v2/" else 429, {"errors": [{"code": "TOOMANYREQUESTS"}]})

    head = get


serve(Handler)
PY
  servers+=($!)
  wait_for "${upstream#*:}"
}

pulled() { status -H "$OCI_MANIFEST" "http://$1/v2/web/manifests/$2"; }

tags() { curl -s "http://$1/v2/$2/tags/list" | python3 -c 'import json, sys; found = json.load(sys.stdin); print(*sorted(found["tags"]) if "tags" in found else [found["errors"][0]["code"]])'; }

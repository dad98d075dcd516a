#!/usr/bin/env bash
# distribution 2.8.2 and 3.1.2 as a pull-through mirror: a HEAD of a layer makes it fetch the whole layer from the upstream, and a
# HEAD of a tag the manifest, which the upstream counts as a pull. A GET of two bytes by Range is answered by all of it.
# Guess: a HEAD is handed on as a HEAD, and nothing is stored; by Range, these two bytes alone are sent.
# Seen: the upstream is asked by GET, and the mirror has all of it though nobody has pulled: to look through a mirror at what
# there is fills its disk, and uses up the upstream's limit of pulls.
source "$(dirname "$0")/lib/setup.sh"
source "$here/mirror.sh"
# recorder: in front of the upstream, it prints the method and the kind of each request for content.
recorder() {
  local port
  port=$(free_port)
  server - "$port" "$upstream" >"$folder/asked" <<'PY' &
import sys
import urllib.request

from answering import Answering, serve

port, upstream = sys.argv[1:]


class Handler(Answering):
    def get(self):
        for kind in ("manifests", "blobs"):
            if f"/{kind}/" in self.path:
                print(self.command, kind, flush=True)
        accept = ", ".join(self.headers.get_all("Accept") or ["*/*"])
        asked = urllib.request.Request(f"http://{upstream}{self.path}", headers={"Accept": accept}, method=self.command)
        with urllib.request.urlopen(asked) as answer:
            body = answer.read()
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                if name not in ("Date", "Server", "Accept-Ranges"):
                    self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    head = get


serve(Handler, port)
PY
  servers+=($!)
  wait_for "$port"
  recorded=127.0.0.1:$port
}
# fetched DIGEST: whether the mirror has stored it; a second is given to it.
fetched() {
  sleep 1
  [[ -e $folder/mirror-${mirror#*:}/docker/registry/v2/blobs/sha256/${1:7:2}/${1#*:}/data ]] && echo yes || echo no
}
layer_of() { echo "sha256:$(printf 'layer of %s' "$1" | sha256sum | cut -d ' ' -f 1)"; }
asked() { sort -u "$folder/asked" | paste -sd,; }
for version in 2 3; do
  mirrored_by $version
  read -r digest _ <<<"$(push web v1 one)"
  push web v2 two >/dev/null
  recorder
  # The same mirror once more, its upstream behind the recorder.
  kill "${servers[-2]}"
  wait "${servers[-2]}" 2>/dev/null || true
  sed -i "s/$upstream/$recorded/" "$folder/mirror-${mirror#*:}.yml"
  "$([[ $version == 2 ]] && echo "$folder/debian/usr/bin/docker-registry" || echo "$folder/bin/registry")" serve "$folder/mirror-${mirror#*:}.yml" >"$folder/mirror.log" 2>&1 &
  servers+=($!)
  wait_for "${mirror#*:}"
  same "distribution $version, HEAD of the tag" "$(status -I -H "$OCI_MANIFEST" "http://$mirror/v2/web/manifests/v1")" 200
  same "the manifest is fetched" "$(fetched "$digest")" yes
  same "the upstream is asked" "$(asked)" "GET manifests,HEAD manifests"
  same "HEAD of a layer" "$(status -I "http://$mirror/v2/web/blobs/$(layer_of one)")" 200
  same "it is fetched" "$(fetched "$(layer_of one)")" yes
  same "the upstream is asked" "$(asked)" "GET blobs,GET manifests,HEAD blobs,HEAD manifests"
  same "GET of two bytes" "$(curl -s -H 'Range: bytes=6-7' -w ' %{http_code}' "http://$mirror/v2/web/blobs/$(layer_of two)")" "layer of two 200"
  same "all is fetched" "$(fetched "$(layer_of two)")" yes
  same "GET of the same two bytes" "$(curl -s -H 'Range: bytes=6-7' -w ' %{http_code}' "http://$mirror/v2/web/blobs/$(layer_of two)")" "of 206"
done

#!/usr/bin/env bash
# distribution 2.8.2 and 3.1.2, notifications: a HEAD of a manifest or of a blob is an event `pull`, and so is a GET that ends
# as 404, since its Accept lacks the manifest's type; a GET that ends as 304 is none. When a manifest is deleted by its
# digest, each of its tags is named in one more event.
# Guess: a pull is a GET that sends the content; the deleted tags are not named.
# Seen: a clean-up that looks at each tag before it decides makes all of them pulled just now to whoever counts these events.
source "$(dirname "$0")/lib/setup.sh"
listener=$(free_port)
server - "$listener" >"$folder/events" <<'PY' &
import json

from answering import Answering, serve


class Handler(Answering):
    def post(self):
        for event in json.loads(self.body())["events"]:
            target = event["target"]
            what = target.get("tag") or ("manifest" if "manifest" in target.get("mediaType", "") else "digest")
            print(event["action"], what, flush=True)
        self.answer(200)


serve(Handler)
PY
servers+=($!)
wait_for "$listener"
# notified: the events since it was asked last.
notified() {
  sleep 1
  tail -n +"$((told + 1))" "$folder/events" | paste -sd, | sed 's/,/, /g'
}
# event WHAT EXPECTED
event() {
  same "$1" "$(notified)" "$2"
  told=$(wc -l <"$folder/events")
}
accept='Accept: application/vnd.oci.image.manifest.v1+json'
layer=sha256:$(printf 'layer of an image' | sha256sum | cut -d ' ' -f 1)
for version in 2 3; do
  distribution_$version
  port=$(free_port)
  host=127.0.0.1:$port
  binary=$([[ $version == 2 ]] && echo "$folder/debian/usr/bin/docker-registry" || echo "$folder/bin/registry")
  mkdir "$folder/notifying-$port"
  cat >"$folder/notifying-$port.yml" <<YML
version: 0.1
storage: {filesystem: {rootdirectory: $folder/notifying-$port}, delete: {enabled: true}}
http: {addr: $host}
notifications: {endpoints: [{name: here, url: "http://127.0.0.1:$listener/", timeout: 1s, threshold: 5, backoff: 1s}]}
log: {level: error}
YML
  "$binary" serve "$folder/notifying-$port.yml" >"$folder/notifying.log" 2>&1 &
  servers+=($!)
  wait_for "$port"
  push web v1 >/dev/null
  read -r digest _ <<<"$(push web v2)"
  sleep 1
  told=$(wc -l <"$folder/events")
  same "distribution $version, GET" "$(status -H "$accept" "http://$host/v2/web/manifests/v1")" 200
  event "notified" "pull v1"
  same "HEAD" "$(status -I -H "$accept" "http://$host/v2/web/manifests/v1")" 200
  event "notified" "pull v1"
  same "HEAD of the digest" "$(status -I -H "$accept" "http://$host/v2/web/manifests/$digest")" 200
  event "notified" "pull manifest"
  same "GET without the type" "$(status "http://$host/v2/web/manifests/v1")" 404
  event "notified" "pull v1"
  same "GET with its ETag" "$(status -H "$accept" -H "If-None-Match: \"$digest\"" "http://$host/v2/web/manifests/v1")" 304
  event "notified" ""
  same "HEAD of the layer" "$(status -I "http://$host/v2/web/blobs/$layer")" 200
  event "notified" "pull digest"
  same "DELETE of the digest" "$(status -X DELETE "http://$host/v2/web/manifests/$digest")" 202
  sleep 1
  same "tags that are named" "$(notified | grep -o 'delete v[12]' | sort | xargs)" "delete v1 delete v2"
done

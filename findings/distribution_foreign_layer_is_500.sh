#!/usr/bin/env bash
# distribution 2.8.2 and 3.1.2: a manifest with a layer that is to be had elsewhere (`urls`, as images with
# Windows base layers have) is refused with 500 UNKNOWN as long as no address is allowed by configuration.
# Guess: 201, since such layers need not be here; else a 400 that names the address.
# Seen: 500, which a client takes for a passing fault and tries again, each time in vain.
source "$(dirname "$0")/lib/setup.sh"
for server in distribution_2 distribution_3; do
  $server
  seen=$(cd "$here" && python3 - "http://$host" <<'PY'
import json, sys, urllib.error, urllib.request
from push import OCI, image
manifest = image(sys.argv[1], "web", "an image")
manifest["layers"].append({
    "mediaType": f"{OCI}.layer.nondistributable.v1.tar+gzip", "digest": "sha256:" + "1" * 64,
    "size": 1000, "urls": ["https://example.org/base"]})
request = urllib.request.Request(
    f"{sys.argv[1]}/v2/web/manifests/v1", json.dumps(manifest).encode(),
    {"Content-Type": f"{OCI}.manifest.v1+json"}, method="PUT")
try:
    print(urllib.request.urlopen(request).status)
except urllib.error.HTTPError as error:
    print(error.code, json.load(error)["errors"][0]["code"])
PY
)
  same "$server" "$seen" "500 UNKNOWN"
done

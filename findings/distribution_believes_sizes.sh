#!/usr/bin/env bash
# distribution 2.8.2 and 3.1.2: a manifest whose descriptor says a wrong size of a layer that is there is
# accepted: only digests are looked up.
# Guess: not asked before; whoever adds up sizes takes them for checked.
# Seen: 201 for a layer of 17 bytes described with a terabyte. Bytes summed over manifests are a claim of
# whoever pushed them.
source "$(dirname "$0")/lib/setup.sh"
for server in distribution_2 distribution_3; do
  $server
  seen=$(cd "$here" && python3 - "http://$host" <<'PY'
import json, sys, urllib.request
from push import OCI, image
manifest = image(sys.argv[1], "web", "an image")
manifest["layers"][0]["size"] = 10**12
request = urllib.request.Request(
    f"{sys.argv[1]}/v2/web/manifests/v1", json.dumps(manifest).encode(),
    {"Content-Type": f"{OCI}.manifest.v1+json"}, method="PUT")
print(urllib.request.urlopen(request).status)
PY
)
  same "$server" "$seen" 201
done

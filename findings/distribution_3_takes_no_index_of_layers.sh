#!/usr/bin/env bash
# distribution 3.1.2 refuses an index whose entries are layers, as BuildKit writes its cache when told `image-manifest=false`:
# 400 MANIFEST_BLOB_UNKNOWN for each layer, though all are there. 2.8.2 takes it. So a copy of it from the one to the other
# fails by crane 0.22.1, oras 1.3.6 and regctl 0.11.7, each of which copies it within 2.8.2.
# Guess: taken by both, as before.
# Seen: a repository of 2.8.2 with such a tag cannot be moved whole to 3.1.2.
source "$(dirname "$0")/lib/setup.sh"
go_tool github.com/google/go-containerregistry/cmd/crane@v0.22.1
go_tool oras.land/oras/cmd/oras@v1.3.6
go_tool github.com/regclient/regclient/cmd/regctl@v0.11.7
# cache: pushes an index of a layer and a configuration, as v1; prints the status of it.
cache() {
  python3 - "$here" "http://$host" <<'PY'
import gzip, json, sys, urllib.error
here, base = sys.argv[1:]
sys.path.insert(0, here)
from push import OCI, push_blob, send
layer = push_blob(base, "cache", gzip.compress(b"a layer", mtime=0), "layer.v1.tar+gzip")
config = push_blob(base, "cache", b'{"layers":[{"blob":"%s"}]}' % layer["digest"].encode(), "config.v1+json")
config["mediaType"] = "application/vnd.buildkit.cacheconfig.v0"
kind = f"{OCI}.index.v1+json"
body = json.dumps({"schemaVersion": 2, "mediaType": kind, "manifests": [layer, config]}).encode()
try:
    send("PUT", f"{base}/v2/cache/manifests/v1", body, kind)
    print("taken")
except urllib.error.HTTPError as error:
    print(error.code, *(one["code"] for one in json.load(error)["errors"]))
PY
}
# copied NAME TARGET
copied() {
  case $1 in
    crane) "$folder/bin/crane" copy --insecure "$old/cache:v1" "$2:v1" ;;
    oras) "$folder/bin/oras" cp --from-plain-http --to-plain-http "$old/cache:v1" "$2:v1" ;;
    regctl) "$folder/bin/regctl" --host "reg=$old,tls=disabled" --host "reg=${2%%/*},tls=disabled" image copy "$old/cache:v1" "$2:v1" ;;
  esac >/dev/null 2>&1 && echo yes || echo no
}
distribution_2
old=$host
same "distribution 2.8.2" "$(cache)" taken
distribution_3
same "distribution 3.1.2" "$(cache)" "400 MANIFEST_BLOB_UNKNOWN MANIFEST_BLOB_UNKNOWN"
for name in crane oras regctl; do
  same "$name, within 2.8.2" "$(copied $name "$old/copy-$name")" yes
  same "$name, to 3.1.2" "$(copied $name "$host/copy-$name")" no
done

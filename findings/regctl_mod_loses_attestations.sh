#!/usr/bin/env bash
# regctl 0.11.7: `regctl image mod` of an index with attestations as BuildKit pushes them changes the images (`--label`,
# `--layer-compress`, `--to-docker`, all), and leaves `vnd.docker.reference.digest` of each attestation at the image that was:
# it is nowhere in the new index. `--label` sets the label on the attestations, too. crane 0.22.1 (`flatten`) drops them.
# Guess: they are moved along.
# Seen: whoever looks for the SBOM of an image by that key finds none, though it is in the same index.
source "$(dirname "$0")/lib/setup.sh"
go_tool github.com/google/go-containerregistry/cmd/crane@v0.22.1
go_tool github.com/regclient/regclient/cmd/regctl@v0.11.7
distribution_2
cd "$folder"
echo text >file
tar -cf layer.tar file
bin/crane append --insecure --oci-empty-base -f layer.tar -t "$host/web:base" 2>/dev/null >&2
for platform in amd64 arm64; do bin/crane mutate --insecure --set-platform linux/$platform -t "$host/web:$platform" "$host/web:base" 2>/dev/null >&2; done
PYTHONPATH=$here python3 - "http://$host" <<'PY'
import json
import sys
import urllib.request

from push import OCI, digest, push_blob, send

base = sys.argv[1]
kind = f"{OCI}.manifest.v1+json"


def entry(body, architecture, **annotations):
    send("PUT", f"{base}/v2/web/manifests/{digest(body)}", body, kind)
    platform = {"os": "unknown" if architecture == "unknown" else "linux", "architecture": architecture}
    told = {"mediaType": kind, "digest": digest(body), "size": len(body), "platform": platform}
    return {**told, **({"annotations": annotations} if annotations else {})}


entries = []
for architecture in ("amd64", "arm64"):
    asked = urllib.request.Request(f"{base}/v2/web/manifests/{architecture}", headers={"Accept": kind})
    entries.append(entry(urllib.request.urlopen(asked).read(), architecture))
    statement = {
        "_type": "https://in-toto.io/Statement/v0.1",
        "predicateType": "https://spdx.dev/Document",
        "subject": [{"name": "web", "digest": {"sha256": entries[-1]["digest"].removeprefix("sha256:")}}],
        "predicate": {"name": architecture},
    }
    layer = push_blob(base, "web", json.dumps(statement).encode(), "layer") | {
        "mediaType": "application/vnd.in-toto+json",
        "annotations": {"in-toto.io/predicate-type": "https://spdx.dev/Document"},
    }
    config = {"architecture": "unknown", "os": "unknown", "config": {}, "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]}}
    manifest = {
        "schemaVersion": 2,
        "mediaType": kind,
        "config": push_blob(base, "web", json.dumps(config).encode(), "config.v1+json"),
        "layers": [layer],
    }
    about = {"vnd.docker.reference.digest": entries[-1]["digest"], "vnd.docker.reference.type": "attestation-manifest"}
    entries.append(entry(json.dumps(manifest).encode(), "unknown", **about))
index = {"schemaVersion": 2, "mediaType": f"{OCI}.index.v1+json", "manifests": entries}
send("PUT", f"{base}/v2/web/manifests/v1", json.dumps(index).encode(), index["mediaType"])
PY
# attested TAG: how many attestations there are, how many of an image of this index, how many labelled.
attested() {
  bin/crane manifest --insecure "$host/web:$1" >index.json
  python3 - "http://$host/v2/web" <<'PY'
import json
import sys
import urllib.request

base = sys.argv[1]
with open("index.json") as file:
    entries = json.load(file)["manifests"]
images = {each["digest"] for each in entries}
attestations = [each for each in entries if "vnd.docker.reference.digest" in each.get("annotations", {})]
known = [each for each in attestations if each["annotations"]["vnd.docker.reference.digest"] in images]
labelled = 0
for each in attestations:
    asked = urllib.request.Request(f"{base}/manifests/{each['digest']}", headers={"Accept": each["mediaType"]})
    config = json.load(urllib.request.urlopen(asked))["config"]["digest"]
    labelled += "Labels" in json.load(urllib.request.urlopen(f"{base}/blobs/{config}"))["config"]
print(len(attestations), len(known), labelled)
PY
}
same "before" "$(attested v1)" "2 2 0"
changed() { bin/regctl --host "reg=$host,tls=disabled" image mod --create "$1" "${@:2}" "$host/web:v1" >/dev/null; }
changed label --label key=value
changed zstd --layer-compress zstd
changed docker --to-docker
same "another label" "$(attested label)" "2 0 2"
same "another compression" "$(attested zstd)" "2 0 0"
same "Docker's types" "$(attested docker)" "2 0 0"
bin/crane flatten --insecure -t "$host/web:flat" "$host/web:v1" 2>/dev/null >&2
same "crane flatten" "$(attested flat)" "0 0 0"

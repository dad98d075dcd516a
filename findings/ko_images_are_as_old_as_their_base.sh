#!/usr/bin/env bash
# ko 0.19.1: unless SOURCE_DATE_EPOCH is set, `created` of an image that it has just built is that of its base image, and
# two builds of changed sources have one. What it adds to the history is of the year 1, for half of it even if that is set.
# Guess: 1970-01-01, as of other tools that build the same twice.
# Seen: an image that was pushed a minute ago is as old as its base: what deletes by age may take it.
source "$(dirname "$0")/lib/setup.sh"
go_tool github.com/google/ko@v0.19.1
distribution_2
python3 "$here/push_dated.py" "http://$host" base latest 2021-02-03T04:05:06Z >/dev/null
mkdir "$folder/web"
cd "$folder/web"
printf 'module example.test/web\n\ngo 1.24\n' >go.mod
export KO_DEFAULTBASEIMAGE=$host/base KO_DOCKER_REPO=$host/web DOCKER_CONFIG=$folder
# built TAG TEXT
built() {
  printf 'package main\n\nfunc main() { println("%s") }\n' "$2" >main.go
  "$folder/bin/ko" build --bare --insecure-registry --sbom none --platform linux/amd64 --tags "$1" . >/dev/null 2>&1
}
# of TAG: digest, `created`, and those of its history.
of() {
  python3 - "http://$host/v2/web" "$1" <<'PY'
import hashlib
import json
import sys
import urllib.request

base, tag = sys.argv[1:]
accept = {"Accept": "application/vnd.docker.distribution.manifest.v2+json"}
manifest = urllib.request.urlopen(urllib.request.Request(f"{base}/manifests/{tag}", headers=accept)).read()
config = json.load(urllib.request.urlopen(f"{base}/blobs/{json.loads(manifest)['config']['digest']}"))
print(hashlib.sha256(manifest).hexdigest(), config["created"], *(each["created"][:4] for each in config["history"]))
PY
}
built one "the first"
built two "the second"
SOURCE_DATE_EPOCH=1700000000 built three "the third"
read -r one created history <<<"$(of one)"
same "created" "$created" 2021-02-03T04:05:06Z
same "its history" "$history" "2021 0001 0001"
read -r two created history <<<"$(of two)"
same "another image" "$([[ $one == "$two" ]] && echo no || echo yes)" yes
same "created" "$created" 2021-02-03T04:05:06Z
read -r _ created history <<<"$(of three)"
same "created, SOURCE_DATE_EPOCH set" "$created" 2023-11-14T22:13:20Z
same "its history" "$history" "2021 0001 2023"

#!/usr/bin/env bash
# helm 4.3.1: `push` writes the time of the .tgz file into the manifest, `org.opencontainers.image.created`. One chart, byte
# for byte, has another digest after a checkout, a copy, or a `helm pull`, which dates the file as of now.
# Guess: one digest, since the chart is the same, or another for each push, by the clock.
# Seen: each mirror has its own; to push again what is there moves the tag and leaves a manifest without one.
source "$(dirname "$0")/lib/setup.sh"
go_tool helm.sh/helm/v4/cmd/helm@v4.3.1
distribution_2
cd "$folder"
export HELM_CONFIG_HOME=$folder HELM_CACHE_HOME=$folder HELM_DATA_HOME=$folder
mkdir web
printf 'apiVersion: v2\nname: web\nversion: 1.0.0\n' >web/Chart.yaml
bin/helm package web >/dev/null
push_chart() { bin/helm push --plain-http web-1.0.0.tgz "oci://$host/charts" 2>&1 | awk '$1 == "Digest:" { print $2 }'; }
alike() { [[ $1 == "$2" ]] && echo yes || echo no; }
touch -d 2024-01-02T03:04:05Z web-1.0.0.tgz
first=$(push_chart)
same "created" "$(curl -s -H 'Accept: application/vnd.oci.image.manifest.v1+json' "http://$host/v2/charts/web/manifests/1.0.0" | python3 -c 'import json, sys; print(json.load(sys.stdin)["annotations"]["org.opencontainers.image.created"])')" 2024-01-02T03:04:05Z
same "pushed again" "$(alike "$(push_chart)" "$first")" yes
sum=$(sha256sum web-1.0.0.tgz)
rm web-1.0.0.tgz
bin/helm pull --plain-http "oci://$host/charts/web" --version 1.0.0 >/dev/null 2>&1
same "pulled, the same bytes" "$(alike "$(sha256sum web-1.0.0.tgz)" "$sum")" yes
same "and pushed" "$(alike "$(push_chart)" "$first")" no
same "the first, without a tag" "$(status "http://$host/v2/charts/web/manifests/$first" -H 'Accept: application/vnd.oci.image.manifest.v1+json')" 200

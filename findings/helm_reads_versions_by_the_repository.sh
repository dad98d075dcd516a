#!/usr/bin/env bash
# helm 4.3.1: one `--version`, or `version` of a dependency, is a range in a repository over HTTP and a tag in a registry,
# where it has no sign of a range: `1` and `1.2` are the newest that begin so, or "not found"; `v1.2.0` is 1.2.0, or not.
# Guess: the newest 1.x from both.
# Seen: a chart that moves to a registry breaks those that ask for `1`; `1.x` and `^1` mean the same in both.
source "$(dirname "$0")/lib/setup.sh"
go_tool helm.sh/helm/v4/cmd/helm@v4.3.1
distribution_2
cd "$folder"
export HELM_CONFIG_HOME=$folder HELM_CACHE_HOME=$folder HELM_DATA_HOME=$folder
mkdir web repository
printf 'apiVersion: v2\nname: web\nversion: 0.0.0\n' >web/Chart.yaml
for version in 1.2.0 1.2.3 1.10.0; do
  bin/helm package web --version $version -d repository >/dev/null
  bin/helm push --plain-http repository/web-$version.tgz "oci://$host/charts" >/dev/null 2>&1
done
port=$(free_port)
bin/helm repo index repository --url "http://127.0.0.1:$port"
python3 -m http.server -d repository --bind 127.0.0.1 "$port" >/dev/null 2>&1 &
servers+=($!)
wait_for "$port"
bin/helm repo add http "http://127.0.0.1:$port" >/dev/null
shown() { bin/helm show chart --plain-http "$1" --version "$2" 2>/dev/null | awk '$1 == "version:" { print $2 }'; }
depends() {
  printf 'apiVersion: v2\nname: site\nversion: 1.0.0\ndependencies: [{name: web, version: "%s", repository: "%s"}]\n' "$2" "$1" >site/Chart.yaml
  rm -rf site/charts site/Chart.lock
  bin/helm dependency update --plain-http site >/dev/null 2>&1 || true
  ls site/charts 2>/dev/null || true
}
mkdir site
for asked in "1 1.10.0" "1.2 1.2.3" "v1.2.0 1.2.0"; do
  read -r version found <<<"$asked"
  same "$version, HTTP" "$(shown http/web $version)" "$found"
  same "$version, registry" "$(shown "oci://$host/charts/web" $version)" ""
done
for version in 1.x ^1; do
  same "$version, HTTP" "$(shown http/web $version)" 1.10.0
  same "$version, registry" "$(shown "oci://$host/charts/web" $version)" 1.10.0
done
same "a dependency on 1, HTTP" "$(depends "http://127.0.0.1:$port" 1)" web-1.10.0.tgz
same "a dependency on 1, registry" "$(depends "oci://$host/charts" 1)" ""

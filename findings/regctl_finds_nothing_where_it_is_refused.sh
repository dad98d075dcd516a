#!/usr/bin/env bash
# regctl 0.11.7 at a registry that has the referrers API, olareg 0.1.2, while this call alone is answered by 401, 403, 429, 500 or
# 503: `artifact list` finds nothing attached, `image copy --referrers` copies the image without what is attached to it, and both
# exit with 0. oras 1.3.6 (`discover`, `cp -r`) fails.
# Guess: an error but for 404, which is the specification's sign that there is no such API; or regctl asks again.
# Seen: it takes any answer but a list for that sign, and looks for the tag `sha256-<hex>`, which is not there.
source "$(dirname "$0")/lib/setup.sh"
source "$here/front.sh"
source "$here/olareg.sh"
go_tool oras.land/oras/cmd/oras@v1.3.6
go_tool github.com/regclient/regclient/cmd/regctl@v0.11.7
olareg
target=$host
olareg
push web v1 >/dev/null
cd "$folder"
echo content >file
bin/oras attach --plain-http --artifact-type text/a "$host/web:v1" file >/dev/null
front "$host"
export HOME=$folder
regctl() { bin/regctl --host "reg=$front,tls=disabled" --host "reg=$target,tls=disabled" "$@" 2>/dev/null; }
# listed TOOL REGISTRY/REPOSITORY: what is attached, and the exit code.
listed() {
  local code=0 seen
  case $1 in
    oras) seen=$(bin/oras discover --plain-http --format go-template='{{range .referrers}}{{.artifactType}}{{end}}' "$2:v1" 2>/dev/null) || code=1 ;;
    regctl) seen=$(regctl artifact list --format '{{range .Descriptors}}{{.ArtifactType}}{{end}}' "$2:v1") || code=1 ;;
  esac
  echo "$seen, $code"
}
# copied TOOL REPOSITORY: the exit code, and what is attached to the copy.
copied() {
  local code=0
  case $1 in
    oras) bin/oras cp -r --from-plain-http --to-plain-http "$front/web:v1" "$target/$2:v1" >/dev/null 2>&1 || code=1 ;;
    regctl) regctl image copy --referrers "$front/web:v1" "$target/$2:v1" >/dev/null || code=1 ;;
  esac
  echo "$code, $(listed oras "$target/$2")"
}
for tool in oras regctl; do
  same "$tool, attached" "$(listed $tool "$front/web")" "text/a, 0"
  same "$tool, copied" "$(copied $tool $tool)" "0, text/a, 0"
done
for status in 401 403 429 500 503; do
  refused $status /referrers/
  same "$status, oras" "$(listed oras "$front/web")" ", 1"
  same "$status, regctl" "$(listed regctl "$front/web")" ", 0"
  same "$status, copied by regctl" "$(copied regctl copy-$status)" "0, , 0"
done
refused 403 /referrers/
same "403, copied by oras" "$(copied oras copy | cut -d , -f 1)" 1

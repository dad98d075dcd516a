#!/usr/bin/env bash
# One config.json of Docker's, read by crane 0.22.1, oras 1.3.6, regctl 0.11.7, skopeo 1.9.3 and docker-py 7.2.0: each
# of four ways to write a login in it, and a helper that is missing, is none to one, two or three of them.
# Guess: a username and password without `auth` are read by all but docker-py and skopeo, and a key with `https://` by all
# but oras; a credential helper comes first everywhere.
# Seen: `https://HOST/v1/` is none to regctl, `HOST/` to skopeo, a password padded with zero bytes, which Docker takes off,
# to oras and docker-py; where a `credsStore` is not installed, regctl and skopeo use the file, the others fail.
source "$(dirname "$0")/lib/setup.sh"
debian skopeo 1.9.3
python_with docker==7.2.0
go_tool github.com/google/go-containerregistry/cmd/crane@v0.22.1
go_tool oras.land/oras/cmd/oras@v1.3.6
go_tool github.com/regclient/regclient/cmd/regctl@v0.11.7
answers basic
export HOME=$folder DOCKER_CONFIG=$folder REGISTRY_AUTH_FILE=$folder/config.json
ln -s . "$folder/.docker"
logs_in() {
  case $1 in
    crane) "$folder/bin/crane" ls --insecure "$host/web" ;;
    oras) "$folder/bin/oras" repo tags --plain-http "$host/web" ;;
    regctl) "$folder/bin/regctl" --host "reg=$host,tls=disabled" tag ls "$host/web" ;;
    skopeo) skopeo list-tags --tls-verify=false "docker://$host/web" ;;
    docker-py) python -c '
import sys
from docker.auth import load_config
assert load_config(sys.argv[1]).resolve_authconfig(sys.argv[2])["password"] == "secret"' "$folder/config.json" "$host" ;;
  esac >/dev/null 2>&1
}
# readers WHAT CONFIG EXPECTED: who logs in by that file.
readers() {
  local found=()
  echo "$2" >"$folder/config.json"
  for name in crane oras regctl skopeo docker-py; do logs_in "$name" && found+=("$name"); done
  same "$1" "${found[*]}" "$3"
}
auth=$(printf anna:secret | base64)
readers "HOST" "{\"auths\": {\"$host\": {\"auth\": \"$auth\"}}}" "crane oras regctl skopeo docker-py"
readers "https://HOST/v1/" "{\"auths\": {\"https://$host/v1/\": {\"auth\": \"$auth\"}}}" "crane oras skopeo docker-py"
readers "HOST/" "{\"auths\": {\"$host/\": {\"auth\": \"$auth\"}}}" "crane oras regctl docker-py"
readers "username, password" "{\"auths\": {\"$host\": {\"username\": \"anna\", \"password\": \"secret\"}}}" "crane oras regctl"
readers "padded with zero bytes" "{\"auths\": {\"$host\": {\"auth\": \"$(printf 'anna:secret\0\0' | base64)\"}}}" "crane regctl skopeo"
readers "a credsStore that is not there" "{\"auths\": {\"$host\": {\"auth\": \"$auth\"}}, \"credsStore\": \"none\"}" "regctl skopeo"

#!/usr/bin/env bash
# oras 1.3.6: of credentials for single repositories of one host, as `podman login HOST/REPOSITORY` writes them, it takes
# any, by chance: many of its calls on "web" come with those for "other". crane 0.22.1 and skopeo 1.9.3 take the right
# ones; regctl 0.11.7 none. Where there are only those for "other", crane sends them for "web" as well.
# Guess: oras and crane, as Docker, know no key with a path; regctl knows it.
# Seen: a call that is denied now and then, with nothing changed. Two robots of one registry need two files.
source "$(dirname "$0")/lib/setup.sh"
debian skopeo 1.9.3
go_tool github.com/google/go-containerregistry/cmd/crane@v0.22.1
go_tool oras.land/oras/cmd/oras@v1.3.6
go_tool github.com/regclient/regclient/cmd/regctl@v0.11.7
answers basic
export HOME=$folder DOCKER_CONFIG=$folder REGISTRY_AUTH_FILE=$folder/config.json
# login REPOSITORY USER:PASSWORD ...
login() {
  python3 -c '
import base64, json, sys
host, *rest = sys.argv[1:]
found = {f"{host}/{name}": {"auth": base64.b64encode(login.encode()).decode()} for name, login in zip(rest[::2], rest[1::2])}
print(json.dumps({"auths": found}))' "$host" "$@" >"$folder/config.json"
}
# may TOOL: whether it lists the tags of "web".
may() {
  case $1 in
    crane) "$folder/bin/crane" ls --insecure "$host/web" ;;
    oras) "$folder/bin/oras" repo tags --plain-http "$host/web" ;;
    regctl) "$folder/bin/regctl" --host "reg=$host,tls=disabled" tag ls "$host/web" ;;
    skopeo) skopeo list-tags --tls-verify=false "docker://$host/web" ;;
  esac >/dev/null 2>&1 && echo yes || echo no
}
login other robot:other web anna:secret
for name in crane skopeo; do same "$name, 40 times" "$(for _ in $(seq 40); do may $name; done | sort -u)" yes; done
same "regctl, 40 times" "$(for _ in $(seq 40); do may regctl; done | sort -u)" no
same "oras, 100 times" "$(for _ in $(seq 100); do may oras; done | sort -u | xargs)" "no yes"
login other anna:secret
for name in crane oras; do same "$name, with those for another" "$(may $name)" yes; done
for name in skopeo regctl; do same "$name, with those for another" "$(may $name)" no; done

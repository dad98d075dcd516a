#!/usr/bin/env bash
# oras 1.3.6: told by a 429 to come again after 4 seconds, it comes after 3, its own limit; of a date it takes no notice.
# regctl 0.11.7 waits for seconds, but for no date; skopeo 1.9.3 for both; crane 0.22.1 comes after a second in any case.
# Guess: oras and regctl wait as told, crane gives up.
# Seen: as said. Four clients behind one limit are refused again and again, each in its way.
source "$(dirname "$0")/lib/setup.sh"
debian skopeo 1.9.3
go_tool github.com/google/go-containerregistry/cmd/crane@v0.22.1
go_tool oras.land/oras/cmd/oras@v1.3.6
go_tool github.com/regclient/regclient/cmd/regctl@v0.11.7
export HOME=$folder
# waits TOOL VALUE: whole seconds until it comes again.
waits() {
  answers "later $2"
  case $1 in
    crane) "$folder/bin/crane" ls --insecure "$host/web" ;;
    oras) "$folder/bin/oras" repo tags --plain-http "$host/web" ;;
    regctl) "$folder/bin/regctl" --host "reg=$host,tls=disabled" tag ls "$host/web" ;;
    skopeo) skopeo list-tags --tls-verify=false "docker://$host/web" ;;
  esac >/dev/null 2>&1
  cut -d. -f1 "$folder/answers.log"
}
same "oras, 4" "$(waits oras 4)" 3
same "regctl, 4" "$(waits regctl 4)" 4
same "skopeo, 4" "$(waits skopeo 4)" 4
same "crane, 4" "$(waits crane 4)" 1
same "oras, a date" "$(waits oras date)" 0
same "regctl, a date" "$(waits regctl date)" 0
same "skopeo, a date" "$(waits skopeo date)" 3
same "crane, a date" "$(waits crane date)" 1

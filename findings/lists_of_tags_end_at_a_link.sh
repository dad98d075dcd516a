#!/usr/bin/env bash
# regctl 0.11.7, python-dxf 12.1.1 and oras-py 0.2.43: a list of tags ends after its first page, exit code 0, where the
# Link header is another legal form of RFC 8288: two relations in one, or a title with a semicolon. crane 0.22.1, oras
# 1.3.6 and crpy 0.4.0 list all; skopeo 1.9.3 too, but it fails at a relative address, or ends there.
# Guess: the three that parse the header read each form of it, those that search it do not.
# Seen: the other way round. Who deletes what is not listed, or keeps what is, goes by two tags of four.
source "$(dirname "$0")/lib/setup.sh"
debian skopeo 1.9.3
python_with python-dxf==12.1.1 oras==0.2.43 crpy==0.4.0
go_tool github.com/google/go-containerregistry/cmd/crane@v0.22.1
go_tool oras.land/oras/cmd/oras@v1.3.6
go_tool github.com/regclient/regclient/cmd/regctl@v0.11.7
export HOME=$folder
tags() {
  case $1 in
    crane) "$folder/bin/crane" ls --insecure "$host/web" ;;
    oras) "$folder/bin/oras" repo tags --plain-http "$host/web" ;;
    regctl) "$folder/bin/regctl" --verbosity error --host "reg=$host,tls=disabled" tag ls "$host/web" ;;
    skopeo) skopeo list-tags --tls-verify=false "docker://$host/web" 2>/dev/null | python3 -c 'import json, sys; print(*json.load(sys.stdin)["Tags"])' 2>/dev/null || echo fails ;;
    crpy) "$folder/venv/bin/crpy" -k tags "http://$host/web" ;;
    dxf) python -c 'import sys; from dxf import DXF; print(*DXF(sys.argv[1], "web", insecure=True).list_aliases())' "$host" 2>/dev/null || echo fails ;;
    oras-py) python -c 'import sys; from oras.client import OrasClient; print(*OrasClient(insecure=True).get_tags(sys.argv[1]))' "$host/web" ;;
  esac | xargs
}
# listed LINK TOOL=TAGS...
listed() {
  local each
  answers "link $1"
  for each in "${@:2}"; do
    same "${each%%=*}, $1" "$(tags "${each%%=*}")" "${each#*=}"
  done
}
next='/v2/web/tags/list?n=2&last=b'
all="a b c d"
listed "<$next>; rel=\"next\"" {crane,oras,regctl,skopeo,crpy,dxf,oras-py}="$all"
listed "<$next>; rel=\"next last\"" {crane,oras,skopeo,crpy}="$all" {regctl,dxf,oras-py}="a b"
listed "<$next>; title=\"page 2; of 2\"; rel=\"next\"" {crane,oras,regctl,skopeo,crpy}="$all" {dxf,oras-py}="a b"
listed "<list?n=2&last=b>; rel=\"next\"" {crane,oras,regctl,crpy}="$all" oras-py="a b" {skopeo,dxf}=fails
listed "<?n=2&last=b>; rel=\"next\"" {crane,oras,regctl,crpy}="$all" {skopeo,oras-py}="a b" dxf=fails

#!/usr/bin/env bash
# One index, one `--platform`: crane 0.22.1 and oras 1.3.6 take the first entry of that architecture, of whichever variant;
# regctl 0.11.7 and skopeo 1.9.3 the best that runs on it: arm/v7 before v6 for linux/arm, an older variant or none for
# linux/arm/v8 and arm64/v8, and no amd64/v3 for linux/amd64. An entry without a platform is any to crane and skopeo.
# Guess: so, but that skopeo knows no entry without a platform.
# Seen: crane and oras get amd64/v3 for linux/amd64 where it stands first; and arm64 for amd64 from crane and skopeo.
source "$(dirname "$0")/lib/setup.sh"
debian skopeo 1.9.3
go_tool github.com/google/go-containerregistry/cmd/crane@v0.22.1
go_tool oras.land/oras/cmd/oras@v1.3.6
go_tool github.com/regclient/regclient/cmd/regctl@v0.11.7
distribution_2
# index TAG PLATFORM...: a platform with a dot before it is that of the image, and not written into the index.
index() {
  python3 - "$here" "http://$host" "$@" <<'PY'
import hashlib, json, sys
here, base, tag, *platforms = sys.argv[1:]
sys.path.insert(0, here)
from push import OCI, image, push_blob, send
entries = []
for written in platforms:
    system, architecture, *variant = written.lstrip(".").split("/")
    platform = {"os": system, "architecture": architecture, **({"variant": variant[0]} if variant else {})}
    one = image(base, "web", written)
    one["config"] = push_blob(base, "web", json.dumps(platform).encode(), "config.v1+json")
    body = json.dumps(one).encode()
    digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
    send("PUT", f"{base}/v2/web/manifests/{digest}", body, one["mediaType"])
    entries.append({"mediaType": one["mediaType"], "digest": digest, "size": len(body)})
    if not written.startswith("."):
        entries[-1]["platform"] = platform
kind = f"{OCI}.index.v1+json"
body = json.dumps({"schemaVersion": 2, "mediaType": kind, "manifests": entries}).encode()
send("PUT", f"{base}/v2/web/manifests/{tag}", body, kind)
PY
}
chosen() {
  local system architecture variant
  IFS=/ read -r system architecture variant <<<"$3"
  case $1 in
    crane) "$folder/bin/crane" config --insecure --platform "$3" "$host/web:$2" ;;
    oras) "$folder/bin/oras" manifest fetch-config --plain-http --platform "$3" "$host/web:$2" ;;
    regctl) "$folder/bin/regctl" --host "reg=$host,tls=disabled" image config --platform "$3" "$host/web:$2" ;;
    skopeo) skopeo --override-os "$system" --override-arch "$architecture" ${variant:+--override-variant "$variant"} inspect --raw --config --tls-verify=false "docker://$host/web:$2" ;;
  esac 2>/dev/null | python3 -c '
import json, sys
text = sys.stdin.read()
found = json.loads(text) if text.strip() else {"architecture": "none"}
print("/".join(found[key] for key in ("architecture", "variant") if found.get(key)))'
}
# choice TAG PLATFORM, and what is expected of crane, oras, regctl and skopeo.
choice() { for name in crane oras regctl skopeo; do same "$2 of $1, $name" "$(chosen $name "$1" "$2")" "$3"; set -- "$1" "$2" "${@:4}"; done; }
index arm6-arm7 linux/arm/v6 linux/arm/v7
index amd3-amd linux/amd64/v3 linux/amd64
index amd3 linux/amd64/v3
index arm64 linux/arm64
index unwritten .linux/arm64 .linux/amd64
choice arm6-arm7 linux/arm arm/v6 arm/v6 arm/v7 arm/v7
choice arm6-arm7 linux/arm/v8 none none arm/v7 arm/v7
choice amd3-amd linux/amd64 amd64/v3 amd64/v3 amd64 amd64
choice amd3 linux/amd64 amd64/v3 amd64/v3 none none
choice arm64 linux/arm64/v8 none none arm64 arm64
choice unwritten linux/amd64 arm64 none none arm64

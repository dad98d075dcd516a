# Sourced after setup.sh: both versions of cosign, a key, and distribution 2.8.2 at $host.
CGO_ENABLED=0 go_tool github.com/sigstore/cosign/v3/cmd/cosign@v3.1.3
mv "$folder/bin/cosign" "$folder/bin/cosign3"
CGO_ENABLED=0 go_tool github.com/sigstore/cosign/v2/cmd/cosign@v2.6.2
mv "$folder/bin/cosign" "$folder/bin/cosign2"
distribution_2
export HOME=$folder COSIGN_PASSWORD=
cd "$folder"
"$folder/bin/cosign2" generate-key-pair >/dev/null 2>&1

# cosign VERSION COMMAND...: quiet, without the public transparency log.
cosign() {
  local options=(--allow-http-registry)
  case $1$2 in
    2sign | 2attest) options+=(--tlog-upload=false --yes --key cosign.key) ;;
    3sign | 3attest) options+=(--use-signing-config=false --tlog-upload=false --yes --key cosign.key) ;;
    ?verify) options+=(--insecure-ignore-tlog --key cosign.pub) ;;
  esac
  "$folder/bin/cosign$1" "${@:2}" "${options[@]}" >/dev/null 2>&1
}

# verifies VERSION IMAGE
verifies() { cosign "$1" verify "$2" && echo yes || echo no; }

tags() { curl -s "http://$host/v2/$1/tags/list" | python3 -c 'import json, sys; print(*sorted(json.load(sys.stdin)["tags"]))'; }

digest_of() { curl -sI -H 'Accept: application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json' "http://$host/v2/$1/manifests/$2" | tr -d '\r' | awk 'tolower($1) == "docker-content-digest:" { print $2 }'; }

# layers REPOSITORY REFERENCE: how many.
layers() { curl -s -H 'Accept: application/vnd.oci.image.manifest.v1+json' "http://$host/v2/$1/manifests/$2" | python3 -c 'import json, sys; print(len(json.load(sys.stdin)["layers"]))'; }

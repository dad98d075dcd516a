# Sourced by every finding: a temporary folder, pinned public packages in it, registries on loopback.
# Nothing of aioregistry is used. Needs bash, curl, Python 3.11, Go 1.26, for some Node.js 20, and apt-get (Debian 12).
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
folder=$(mktemp -d)
servers=()
leave() {
  for server in "${servers[@]}" $(cat "$folder/answering" 2>/dev/null); do kill "$server" 2>/dev/null || true; done
  rm -rf "$folder"
}
trap leave EXIT

go_tool() { GOBIN=$folder/bin go install "$1"; }

# python_with PACKAGE...: they are then imported by `python`.
python_with() {
  python3 -m venv "$folder/venv"
  "$folder/venv/bin/pip" install -q --disable-pip-version-check "$@"
}
python() { "$folder/venv/bin/python" "$@"; }

# node_with PACKAGE...: they are then found by scripts in the folder.
node_with() { (cd "$folder" && npm install --silent --no-audit --no-fund --ignore-scripts "$@" >/dev/null 2>&1); }

# go_program NAME MODULE VERSION: builds what is on stdin.
go_program() {
  mkdir "$folder/$1.go"
  cat >"$folder/$1.go/main.go"
  printf 'module example.test/%s\n\ngo 1.24\n\nrequire %s %s\n' "$1" "$2" "$3" >"$folder/$1.go/go.mod"
  (cd "$folder/$1.go" && GOFLAGS=-mod=mod go build -o "$folder/bin/$1" . 2>/dev/null)
}

# debian PROGRAM VERSION: Debian 12's own build, installed, since it needs its libraries.
debian() {
  command -v "$1" >/dev/null || { apt-get update -q && apt-get install -qy --no-install-recommends "$1"; } >/dev/null 2>&1
  "$1" --version | grep -qE " $2( |$)" || { echo "$1 is not $2: $("$1" --version)" >&2; exit 1; }
}

# server SCRIPT ARGUMENT...: a server in Python, with lib/answering.py at hand; to be run in the background.
server() { PYTHONPATH=$here exec python3 "$@"; }

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

# wait_for PORT: until a server answers there, 20 seconds at most.
wait_for() {
  for _ in $(seq 100); do
    curl -s -o /dev/null "http://127.0.0.1:$1/v2/" && return
    sleep 0.2
  done
  echo "no server on port $1" >&2
  return 1
}

# distribution COMMAND [DELETES]: serve with this binary, storage in the folder; its address is in $host.
distribution() {
  local port
  port=$(free_port)
  host=127.0.0.1:$port
  mkdir -p "$folder/data-$port"
  cat >"$folder/$port.yml" <<YML
version: 0.1
storage: {filesystem: {rootdirectory: $folder/data-$port}, delete: {enabled: ${2:-true}}}
http: {addr: $host}
log: {level: error}
YML
  "$1" serve "$folder/$port.yml" >"$folder/$port.log" 2>&1 &
  servers+=($!)
  wait_for "$port"
}

# distribution_2 [DELETES]: Debian's build of distribution 2.8.2, which refuses DELETE if told false.
distribution_2() {
  (cd "$folder" && { apt-get download -q docker-registry=2.8.2+ds1-1 || { apt-get update -q && apt-get download -q docker-registry=2.8.2+ds1-1; }; } && dpkg -x docker-registry_*.deb debian) >/dev/null 2>&1
  distribution "$folder/debian/usr/bin/docker-registry" "$@"
}

distribution_3() {
  go_tool github.com/distribution/distribution/v3/cmd/registry@v3.1.2
  distribution "$folder/bin/registry"
}

# kubeconfig PORT: in $folder/config, for a server of Kubernetes' API there.
kubeconfig() {
  cat >"$folder/config" <<YML
apiVersion: v1
kind: Config
current-context: here
clusters: [{name: here, cluster: {server: "http://127.0.0.1:$1"}}]
users: [{name: here, user: {token: none}}]
contexts: [{name: here, context: {cluster: here, user: here, namespace: default}}]
YML
}

# push REPOSITORY REFERENCE [CONTENT]: a small OCI image; prints the digests of manifest and config.
push() { python3 "$here/push.py" "http://$host" "$@"; }

# answers HOW: a registry whose only list of tags is answered in one of the ways of answers.py; its address is in $host.
answers() {
  local port
  port=$(free_port)
  host=127.0.0.1:$port
  python3 "$here/answers.py" "$port" "$1" >"$folder/answers.log" 2>/dev/null &
  # In a file, since it is also called in a subshell, whose list is its own.
  echo $! >>"$folder/answering"
  wait_for "$port"
}

status() { curl -s -o /dev/null -w '%{http_code}' "$@"; }

# same WHAT SEEN EXPECTED
same() {
  echo "$1: $2"
  [[ $2 == "$3" ]] || { echo "  was: $3" >&2; exit 1; }
}

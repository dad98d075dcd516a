# Sourced after setup.sh: doctl 1.166.0, and the vendor's calls on loopback, at $host.
mkdir "$folder/doctl"
printf 'module example.test/doctl\n\ngo 1.24\n\nrequire github.com/digitalocean/doctl v1.166.0\n' >"$folder/doctl/go.mod"
# Not `go install`: that asks for the list of all versions, which not every proxy has.
(cd "$folder/doctl" && GOFLAGS=-mod=mod go build -o "$folder/bin/" github.com/digitalocean/doctl/cmd/doctl 2>/dev/null)
port=$(free_port)
host=127.0.0.1:$port
python3 "$here/tags_api.py" "$port" &
servers+=($!)
wait_for "$port"
# doctl ARGUMENT...
doctl() { HOME=$folder DIGITALOCEAN_ACCESS_TOKEN=none "$folder/bin/doctl" --api-url "http://$host" --http-retry-max 0 "$@"; }

# count: the length of the JSON list on stdin.
count() { python3 -c 'import json, sys; print(len(json.load(sys.stdin)))'; }

# Sourced after setup.sh: olareg 0.1.2, a registry with the referrers API.
mkdir "$folder/olareg"
printf 'module example.test/olareg\n\ngo 1.24\n\nrequire github.com/olareg/olareg v0.1.2\n' >"$folder/olareg/go.mod"
# Not `go install`: that asks for the list of all versions, which not every proxy has.
(cd "$folder/olareg" && GOFLAGS=-mod=mod go build -o "$folder/bin/" github.com/olareg/olareg/cmd/olareg 2>/dev/null)

# olareg: one in memory; its address is in $host.
olareg() {
  local port
  port=$(free_port)
  host=127.0.0.1:$port
  "$folder/bin/olareg" serve --store-type mem --addr 127.0.0.1 --port "$port" >"$folder/olareg-$port.log" 2>&1 &
  servers+=($!)
  wait_for "$port"
}

# Sourced: crane's own registry, in memory; its address is in $host.
go_tool github.com/google/go-containerregistry/cmd/crane@v0.22.1
port=$(free_port)
host=127.0.0.1:$port
"$folder/bin/crane" registry serve --address "$host" >"$folder/crane.log" 2>&1 &
servers+=($!)
wait_for "$port"

#!/usr/bin/env bash
# containerd 2.4.2, the resolver by which nodes of Kubernetes pull: told 429 with Retry-After of two seconds, it asks again at
# once, five times in all within a second, and gives up; of 408 the same. Of 500 and 503 it asks twice, at once, too.
# Guess: it waits as Retry-After says, and asks once more.
# Seen: five requests count against the limit where one was told to wait, for each tag and layer of each node.
source "$(dirname "$0")/lib/setup.sh"
go_program resolve github.com/containerd/containerd/v2 v2.4.2 <<'GO'
package main

import (
	"context"
	"fmt"
	"net/http"
	"os"

	"github.com/containerd/containerd/v2/core/remotes/docker"
)

func main() {
	host := docker.RegistryHost{
		Client: http.DefaultClient, Host: os.Args[1], Scheme: "http", Path: "/v2",
		Capabilities: docker.HostCapabilityPull | docker.HostCapabilityResolve,
	}
	hosts := func(string) ([]docker.RegistryHost, error) { return []docker.RegistryHost{host}, nil }
	_, _, err := docker.NewResolver(docker.ResolverOptions{Hosts: hosts}).Resolve(context.Background(), os.Args[1]+"/web:v1")
	fmt.Println(err == nil)
}
GO
cat >"$folder/busy.py" <<'PY'
import sys
import time

from answering import Answering, serve

port, code, times = map(int, sys.argv[1:])
asked = []


class Handler(Answering):
    def get(self):
        answer = 200
        if self.path != "/v2/":
            asked.append(time.monotonic())
            print(int(asked[-1] - asked[0]), flush=True)
            answer = code if len(asked) <= times else 200
        about = {"Content-Type": "application/vnd.oci.image.manifest.v1+json", "Docker-Content-Digest": f"sha256:{'0' * 64}"}
        self.answer(answer, {}, about if answer == 200 else {"Retry-After": "2"})

    head = get


serve(Handler, port)
PY
# resolved STATUS TIMES: whether it is, and the second of each request.
resolved() {
  local port busy
  port=$(free_port)
  server "$folder/busy.py" "$port" "$1" "$2" >"$folder/asked" 2>/dev/null &
  busy=$!
  wait_for "$port"
  echo "$("$folder/bin/resolve" "127.0.0.1:$port" 2>/dev/null) $(xargs <"$folder/asked")"
  kill "$busy"
}
same "429 once" "$(resolved 429 1)" "true 0 0"
same "429 each time" "$(resolved 429 9)" "false 0 0 0 0 0"
same "408 each time" "$(resolved 408 9)" "false 0 0 0 0 0"
same "503 each time" "$(resolved 503 9)" "false 0 0"
same "500 each time" "$(resolved 500 9)" "false 0 0"

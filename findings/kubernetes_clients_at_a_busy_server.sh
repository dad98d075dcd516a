#!/usr/bin/env bash
# Kubernetes' API answers 429 with a Retry-After when it sheds load: client-go 0.34.1 and kubernetes 37.0.2 (PyPI, by urllib3)
# wait and ask again; kubernetes_asyncio 36.1.0, lightkube 1.0.1, kr8s 0.20.15 and pykube-ng 23.6.0 (PyPI) raise an error.
# Guess: client-go alone asks again.
# Seen: the two clients that are generated from one description differ in it.
source "$(dirname "$0")/lib/setup.sh"
source "$here/kube_clients.sh"
# asks NAME: what it finds, and how often it asks.
asks() {
  local before after found
  before=$(grep -cx busy "$folder/asked" || true)
  found=$(pods "$1" busy)
  after=$(grep -cx busy "$folder/asked")
  # the next one is refused first, again
  ((after % 2 == 0)) || curl -s -o /dev/null "http://127.0.0.1:$port/api/v1/namespaces/busy/pods"
  echo "$found $((after - before))"
}
for name in client-go kubernetes; do same "$name" "$(asks $name)" "0 2"; done
for name in kubernetes_asyncio lightkube kr8s pykube-ng; do same "$name" "$(asks $name)" "error 1"; done

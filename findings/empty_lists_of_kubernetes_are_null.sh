#!/usr/bin/env bash
# `"items": null`, as a server in Go writes an empty list whose slice is nil: kubernetes 37.0.2, kubernetes_asyncio 36.1.0,
# lightkube 1.0.1 and kr8s 0.20.15 (PyPI) raise an error; client-go 0.34.1 and pykube-ng 23.6.0 (PyPI) find no pods.
# Guess: an empty list by kubernetes and kubernetes_asyncio, too.
# Seen: four of six fail, each with another kind of error. With `[]` all find none.
source "$(dirname "$0")/lib/setup.sh"
source "$here/kube_clients.sh"
for name in client-go pykube-ng kubernetes kubernetes_asyncio lightkube kr8s; do same "$name, []" "$(pods $name empty)" 0; done
for name in client-go pykube-ng; do same "$name, null" "$(pods $name null)" 0; done
for name in kubernetes kubernetes_asyncio lightkube kr8s; do same "$name, null" "$(pods $name null)" error; done

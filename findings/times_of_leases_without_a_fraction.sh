#!/usr/bin/env bash
# A Lease of Kubernetes has a `renewTime` with six digits behind the second, no fewer: apimachinery 0.34.1, with which its
# server reads it, refuses others. kubernetes 37.0.2, kubernetes_asyncio 36.1.0 and lightkube 1.0.1 (PyPI) write no fraction
# at a full second, and no zone where the time has none.
# Guess: the first two write what is refused at a full second; lightkube knows MicroTime.
# Seen: lightkube, too. Who cuts the time to seconds never renews a lease; who does not fails once in a million times.
source "$(dirname "$0")/lib/setup.sh"
python_with kubernetes==37.0.2 kubernetes_asyncio==36.1.0 lightkube==1.0.1
go_program micro k8s.io/apimachinery v0.34.1 <<'GO'
package main

import (
	"fmt"
	"os"

	v1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func main() {
	var at v1.MicroTime
	err := at.UnmarshalJSON([]byte(`"` + os.Args[1] + `"`))
	fmt.Println(map[bool]string{true: "taken", false: "refused"}[err == nil])
}
GO
cat >"$folder/by.py" <<'PY'
import asyncio
import sys
from datetime import datetime

name, at = sys.argv[1], datetime.fromisoformat(sys.argv[2])


async def main():
    if name == "lightkube":
        from lightkube.models.coordination_v1 import LeaseSpec

        return LeaseSpec(renewTime=at).to_dict()
    if name == "kubernetes":
        from kubernetes import client

        return client.ApiClient().sanitize_for_serialization(client.V1LeaseSpec(renew_time=at))
    from kubernetes_asyncio import client

    async with client.ApiClient() as api:
        return api.sanitize_for_serialization(client.V1LeaseSpec(renew_time=at))


print(asyncio.run(main())["renewTime"])
PY
# writes NAME TIME: what it writes, and what the server makes of it.
writes() {
  local text
  text=$(python -W ignore "$folder/by.py" "$1" "$2")
  echo "$text $("$folder/bin/micro" "$text")"
}
for name in kubernetes kubernetes_asyncio; do
  same "$name" "$(writes $name 2026-01-02T03:04:05.000006+00:00)" "2026-01-02T03:04:05.000006+00:00 taken"
  same "$name, a full second" "$(writes $name 2026-01-02T03:04:05+00:00)" "2026-01-02T03:04:05+00:00 refused"
done
same "lightkube" "$(writes lightkube 2026-01-02T03:04:05.000006+00:00)" "2026-01-02T03:04:05.000006Z taken"
same "lightkube, a full second" "$(writes lightkube 2026-01-02T03:04:05+00:00)" "2026-01-02T03:04:05Z refused"
for name in kubernetes kubernetes_asyncio lightkube; do
  same "$name, without a zone" "$(writes $name 2026-01-02T03:04:05.000006)" "2026-01-02T03:04:05.000006 refused"
done

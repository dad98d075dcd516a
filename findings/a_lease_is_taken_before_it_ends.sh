#!/usr/bin/env bash
# A Lease of Kubernetes whose holder has written 9 seconds in it, and a candidate whose own are 3: client-go 0.34.1 waits for the
# 9, kubernetes 37.0.2 and kubernetes_asyncio 36.1.0 (PyPI) take the lease after 3. client-go writes 3.9 seconds as 3, after which
# others take it while the holder may still try to renew. kubernetes_asyncio writes its local time as UTC.
# Guess: each waits for its own; all times are UTC.
# Seen: when a roll-out shortens the lease, or beside one in Go, a candidate in Python leads beside a holder that need not have
# renewed yet. In New York what kubernetes_asyncio has just renewed is hours old.
source "$(dirname "$0")/lib/setup.sh"
python_with kubernetes==37.0.2 kubernetes_asyncio==36.1.0
go_program client-go k8s.io/client-go v0.34.1 <<'GO'
package main

import (
	"context"
	"os"
	"time"

	v1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

func main() {
	config, _ := clientcmd.BuildConfigFromFlags("", os.Args[1])
	config.ContentType = "application/json"
	lock := &resourcelock.LeaseLock{
		LeaseMeta:  v1.ObjectMeta{Name: "web", Namespace: "default"},
		Client:     kubernetes.NewForConfigOrDie(config).CoordinationV1(),
		LockConfig: resourcelock.ResourceLockConfig{Identity: "candidate"},
	}
	leaderelection.RunOrDie(context.Background(), leaderelection.LeaderElectionConfig{
		Lock: lock, LeaseDuration: 3900 * time.Millisecond, RenewDeadline: 2 * time.Second, RetryPeriod: time.Second,
		Callbacks: leaderelection.LeaderCallbacks{OnStartedLeading: func(context.Context) { os.Exit(0) }, OnStoppedLeading: func() {}},
	})
}
GO
cat >"$folder/candidate.py" <<'PY'
import asyncio
import importlib
import os
import sys

path, name = sys.argv[1:]
times = {"lease_duration": 3, "renew_deadline": 2, "retry_period": 1}
election = importlib.import_module(f"{name}.leaderelection.leaderelection")
settings = importlib.import_module(f"{name}.leaderelection.electionconfig").Config
locks = importlib.import_module(f"{name}.leaderelection.resourcelock.leaselock")
client = importlib.import_module(f"{name}.client")
load = importlib.import_module(f"{name}.config").load_kube_config


async def leading():
    os._exit(0)


async def run():
    await load(path)
    async with client.ApiClient() as api:
        lock = locks.LeaseLock("web", "default", "candidate", api)
        await election.LeaderElection(settings(lock, **times, onstarted_leading=leading, onstopped_leading=leading)).run()


if name == "kubernetes_asyncio":
    asyncio.run(run())
load(path)
lock = locks.LeaseLock("web", "default", "candidate")
election.LeaderElection(settings(lock, **times, onstarted_leading=lambda: os._exit(0), onstopped_leading=None)).run()
PY
# An API that has one lease, of 9 seconds; what a candidate writes is printed: after how many seconds, for how long, and how many hours ago.
cat >"$folder/leases.py" <<'PY'
import json
import time
from datetime import UTC, datetime

from answering import Answering, serve

now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
spec = {"holderIdentity": "holder", "leaseDurationSeconds": 9, "acquireTime": now, "renewTime": now}
lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "web", "namespace": "default", "resourceVersion": "1"}, "spec": spec}
asked = []


class Handler(Answering):
    def get(self):
        if self.path.endswith("/leases/web"):
            asked.append(time.monotonic())
        self.answer(200, lease if self.path.endswith("/leases/web") else {})

    def put(self):
        written = json.loads(self.body())
        renewed = datetime.fromisoformat(written["spec"]["renewTime"])
        hours = round((datetime.now(UTC) - renewed).total_seconds() / 3600)
        print(round(time.monotonic() - asked[0]), written["spec"]["leaseDurationSeconds"], hours, flush=True)
        self.answer(200, written)

    def post(self):
        self.body()
        self.answer(200, {})


serve(Handler)
PY
# taken COMMAND...: sets when the lease is taken, what its duration is then, and how old its renewTime.
taken() {
  local port
  port=$(free_port)
  server "$folder/leases.py" "$port" >"$folder/written" 2>/dev/null &
  servers+=($!)
  wait_for "$port"
  kubeconfig "$port"
  TZ=America/New_York timeout 40 "$@" >/dev/null 2>&1
  read -r after duration hours <"$folder/written"
  when=$([[ $after -ge 9 ]] && echo "after 9" || { [[ $after -lt 7 ]] && echo before; })
}
taken "$folder/bin/client-go" "$folder/config"
same "client-go takes it" "$when" "after 9"
same "seconds written for 3.9" "$duration" 3
same "hours since it was renewed" "$hours" 0
taken "$folder/venv/bin/python" "$folder/candidate.py" "$folder/config" kubernetes
same "kubernetes takes it" "$when" before
same "hours since it was renewed" "$hours" 0
taken "$folder/venv/bin/python" "$folder/candidate.py" "$folder/config" kubernetes_asyncio
same "kubernetes_asyncio takes it" "$when" before
same "at least four hours since it was renewed" "$((hours >= 4))" 1

#!/usr/bin/env bash
# One entry of a kubeconfig with two ways to log in is another user to each client: client-go 0.34.1 (as in kubectl),
# kubernetes 37.0.2 and kubernetes_asyncio 36.1.0 (PyPI). A token in a file that ends in a newline, as `echo` leaves it, is
# read by client-go alone; a plugin named relative to the file is not found by kubernetes_asyncio.
# Guess: the same user by all three but for the plugin; the newline is taken off by all.
# Seen: `token` with `exec` is the plugin's user to kubernetes_asyncio; a password with `exec` is so to both in Python;
# `token` with `tokenFile` is the file's user to client-go alone.
source "$(dirname "$0")/lib/setup.sh"
python_with kubernetes==37.0.2 kubernetes_asyncio==36.1.0
go_program kube k8s.io/client-go v0.34.1 <<'GO'
package main

import (
	"os"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

func main() {
	config, _ := clientcmd.BuildConfigFromFlags("", os.Args[1])
	client, _ := rest.HTTPClientFor(config)
	client.Get(config.Host + "/api")
}
GO
cd "$folder"
mkdir place
openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out place/ca.pem -days 2 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1 2>/dev/null
cat >serve.py <<'PY'
import base64
import ssl
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        kind, _, login = self.headers.get("Authorization", "none").partition(" ")
        print(base64.b64decode(login).decode() if kind == "Basic" else login, flush=True)
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(b'{"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": []}')

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("place/ca.pem", "key.pem")
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
PY
port=$(free_port)
python3 serve.py "$port" >>users 2>/dev/null &
servers+=($!)
for _ in $(seq 100); do
  curl -sk -o /dev/null "https://127.0.0.1:$port/" && break
  sleep 0.2
done
cat >by.py <<'PY'
import asyncio
import sys

name, path = sys.argv[1:]
if name == "kubernetes":
    from kubernetes import client, config

    config.load_kube_config(config_file=path)
    client.CoreV1Api().list_namespaced_pod("default")
else:
    from kubernetes_asyncio import client, config

    async def ask():
        await config.load_kube_config(config_file=path)
        async with client.ApiClient() as api:
            await client.CoreV1Api(api).list_namespaced_pod("default")

    asyncio.run(ask())
PY
cat >place/plugin <<'SH'
#!/bin/sh
echo '{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": "of-plugin"}}'
SH
chmod +x place/plugin
printf of-file >place/token
echo of-file >place/token-and-newline
# are WHAT USER OF_GO OF_KUBERNETES OF_KUBERNETES_ASYNCIO
are() {
  local name seen=()
  cat >place/config <<YML
apiVersion: v1
kind: Config
current-context: here
clusters: [{name: here, cluster: {server: "https://127.0.0.1:$port", certificate-authority: ca.pem}}]
users: [{name: here, user: {$2}}]
contexts: [{name: here, context: {cluster: here, user: here}}]
YML
  for name in go kubernetes kubernetes_asyncio; do
    : >users
    if [[ $name == go ]]; then bin/kube place/config; else python by.py "$name" place/config; fi >/dev/null 2>&1 || true
    seen+=("$(head -1 users | grep . || echo fails)")
  done
  same "$1" "${seen[*]}" "$3 $4 $5"
}
plugin='exec: {apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never, command:'
are "a token" "token: of-token" of-token of-token of-token
are "a token and a plugin" "token: of-token, $plugin $folder/place/plugin}" of-token of-token of-plugin
are "a password and a plugin" "username: anna, password: secret, $plugin $folder/place/plugin}" anna:secret of-plugin of-plugin
are "a token and a file" "token: of-token, tokenFile: token" of-file of-token of-token
are "a file" "tokenFile: token" of-file of-file of-file
are "a file that ends in a newline" "tokenFile: token-and-newline" of-file fails fails
are "a plugin beside the file" "$plugin ./plugin}" of-plugin of-plugin fails

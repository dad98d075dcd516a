#!/usr/bin/env bash
# kubectl 0.34.1 (of Go): `get pods -o json`, when the token of a list's second page has expired (410): it prints a whole
# List of the first page's pods. `-o name` and `-o jsonpath` do so as well. It ends with 1, and says so on stderr.
# Guess: it asks for the whole list again, as client-go's pager does.
# Seen: 3 of 7 pods, in valid JSON without `continue`; the pager gives 7. A file of "what runs" has fewer, and nothing in it says so.
source "$(dirname "$0")/lib/setup.sh"
go_program kubectl k8s.io/kubectl v0.34.1 <<'GO'
package main

import (
	"os"

	"k8s.io/kubectl/pkg/cmd"
)

func main() {
	if cmd.NewDefaultKubectlCommand().Execute() != nil {
		os.Exit(1)
	}
}
GO
go_program pager k8s.io/client-go v0.34.1 <<'GO'
package main

import (
	"context"
	"fmt"
	"os"

	v1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/pager"
)

func main() {
	config, _ := clientcmd.BuildConfigFromFlags("", os.Args[1])
	client, _ := kubernetes.NewForConfig(config)
	pages := pager.New(func(ctx context.Context, options v1.ListOptions) (runtime.Object, error) {
		return client.CoreV1().Pods("default").List(ctx, options)
	})
	pages.PageSize = 3
	list, _, err := pages.List(context.Background(), v1.ListOptions{})
	fmt.Println(meta.LenList(list), err)
}
GO
port=$(free_port)
cat >"$folder/serve.py" <<'PY'
from urllib.parse import parse_qs, urlsplit

from answering import Answering, serve

PODS = [{"metadata": {"name": f"web-{number}", "namespace": "default"}} for number in range(7)]
RESOURCES = [{"name": "pods", "namespaced": True, "kind": "Pod", "verbs": ["get", "list"]}]


class Handler(Answering):
    def get(self):
        url = urlsplit(self.path)
        query = parse_qs(url.query)
        if url.path == "/api":
            return self.answer(200, {"kind": "APIVersions", "versions": ["v1"]})
        if url.path == "/apis":
            return self.answer(200, {"kind": "APIGroupList", "apiVersion": "v1", "groups": []})
        if url.path == "/api/v1":
            return self.answer(200, {"kind": "APIResourceList", "groupVersion": "v1", "resources": RESOURCES})
        if "continue" in query:
            return self.answer(410, {"kind": "Status", "status": "Failure", "reason": "Expired", "code": 410})
        limit = int(query.get("limit", ["7"])[0])
        more = {"continue": "next"} if limit < 7 else {}
        return self.answer(200, {"kind": "PodList", "apiVersion": "v1", "metadata": more, "items": PODS[:limit]})


serve(Handler)
PY
server "$folder/serve.py" "$port" &
servers+=($!)
wait_for "$port"
kubeconfig "$port"
get() { HOME=$folder "$folder/bin/kubectl" --kubeconfig "$folder/config" get pods --chunk-size "$1" -o "$2" 2>>"$folder/errors" || echo "exit code $?"; }
get 500 json >"$folder/whole"
get 3 json >"$folder/part"
same "the exit code" "$(tail -1 "$folder/part")" "exit code 1"
sed -i '$d' "$folder/part"
show() { python3 -c 'import json, sys; found = json.load(sys.stdin); print(found["kind"], len(found["items"]), found["metadata"].get("continue") or "no continue")'; }
same "one page" "$(show <"$folder/whole")" "List 7 no continue"
same "the second page has expired" "$(show <"$folder/part")" "List 3 no continue"
same "by name" "$(get 3 name | tr '\n' ' ')" "pod/web-0 pod/web-1 pod/web-2 exit code 1 "
same "client-go's pager" "$("$folder/bin/pager" "$folder/config")" "7 <nil>"

# Sourced after setup.sh: five clients of Kubernetes, and the beginning of its API on loopback.
python_with kubernetes==37.0.2 kubernetes_asyncio==36.1.0 lightkube==1.0.1 kr8s==0.20.15 pykube-ng==23.6.0
go_program client-go k8s.io/client-go v0.34.1 <<'GO'
package main

import (
	"context"
	"fmt"
	"os"

	v1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

func main() {
	config, _ := clientcmd.BuildConfigFromFlags("", os.Args[1])
	client, _ := kubernetes.NewForConfig(config)
	found, err := client.CoreV1().Pods(os.Args[2]).List(context.Background(), v1.ListOptions{})
	if err != nil {
		fmt.Println("error")
		return
	}
	fmt.Println(len(found.Items))
}
GO
port=$(free_port)
python3 "$here/kube_api.py" "$port" >"$folder/asked" &
servers+=($!)
wait_for "$port"
kubeconfig "$port"
cat >"$folder/pods.py" <<'PY'
import asyncio
import sys

name, path, namespace = sys.argv[1:]


def count():
    if name == "kubernetes":
        from kubernetes import client, config

        config.load_kube_config(path)
        return len(client.CoreV1Api().list_namespaced_pod(namespace).items)
    if name == "kubernetes_asyncio":
        return asyncio.run(count_asyncio())
    if name == "lightkube":
        from lightkube import Client, KubeConfig
        from lightkube.resources.core_v1 import Pod

        return len(list(Client(config=KubeConfig.from_file(path)).list(Pod, namespace=namespace)))
    if name == "kr8s":
        import kr8s

        return len(list(kr8s.api(kubeconfig=path).get("pods", namespace=namespace)))
    import pykube

    api = pykube.HTTPClient(pykube.KubeConfig.from_file(path))
    return len(list(pykube.Pod.objects(api).filter(namespace=namespace)))


async def count_asyncio():
    from kubernetes_asyncio import client, config

    await config.load_kube_config(path)
    async with client.ApiClient() as api:
        return len((await client.CoreV1Api(api).list_namespaced_pod(namespace)).items)


try:
    print(count())
except Exception:
    print("error")
PY
# pods NAME NAMESPACE: how many pods this client finds, or that it raises an error.
pods() {
  if [[ $1 == client-go ]]; then "$folder/bin/client-go" "$folder/config" "$2"; else python -W ignore "$folder/pods.py" "$1" "$folder/config" "$2" 2>/dev/null; fi
}

#!/usr/bin/env bash
# `my_host.local/web:v1`, a name as DNS of a container network may have: crane 0.22.1, oras-go 2.7.0, containerd 2.4.2,
# docker-py 7.2.0 and oras-py 0.2.43 take `my_host.local` for the registry. distribution/reference 0.6.0 reads it without an
# error as a path of no registry, regclient 0.11.7 as `my_host.local/web` at Docker Hub; docker-image-py 0.2.0 refuses it.
# With a port, `my_host:5000/web:v1`, distribution/reference and regclient refuse it, the others take it as before.
# Guess: an error by distribution/reference, its port to Python and regclient; a registry to the rest.
# Seen: one name, three places. What is pushed by regctl to such a host goes to Docker Hub, or fails there.
source "$(dirname "$0")/lib/setup.sh"
python_with docker==7.2.0 oras==0.2.43 docker-image-py==0.2.0
# in_go NAME MODULE VERSION PACKAGE CODE: the code makes registry, path and err of the name, which is in `name`.
in_go() {
  go_program "$1" "$2" "$3" <<GO
package main

import (
	"fmt"
	"os"

	parser "$4"
)

func main() {
	name := os.Args[1]
	$5
	if err != nil {
		fmt.Println("error")
		return
	}
	fmt.Printf("%s|%s\n", registry, path)
}
GO
}
found='found, err := parser'
fail='if err != nil { fmt.Println("error"); return }'
in_go distribution github.com/distribution/reference v0.6.0 github.com/distribution/reference "$found.ParseNormalizedNamed(name); $fail; registry, path := parser.Domain(found), parser.Path(found)"
in_go crane github.com/google/go-containerregistry v0.22.1 github.com/google/go-containerregistry/pkg/name "$found.ParseReference(name); $fail; registry, path := found.Context().RegistryStr(), found.Context().RepositoryStr()"
in_go oras oras.land/oras-go/v2 v2.7.0 oras.land/oras-go/v2/registry "$found.ParseReference(name); registry, path := found.Registry, found.Repository"
in_go regclient github.com/regclient/regclient v0.11.7 github.com/regclient/regclient/types/ref "$found.New(name); registry, path := found.Registry, found.Repository"
in_go containerd github.com/containerd/containerd/v2 v2.4.2 github.com/containerd/containerd/v2/pkg/reference "$found.Parse(name); $fail; registry, path := found.Hostname(), found.Locator[len(found.Hostname())+1:]"
cat >"$folder/parse.py" <<'PY'
import sys

library, name = sys.argv[1:]
try:
    if library == "docker-py":
        from docker.auth import resolve_repository_name

        registry, path = resolve_repository_name(name.rpartition(":")[0])
    elif library == "oras-py":
        from oras.container import Container

        found = Container(name)
        registry, path = found.registry, found.repository
    else:
        from docker_image import reference

        registry, path = reference.Reference.parse_normalized_named(name).split_hostname()
    print(f"{registry}|{path}")
except Exception:
    print("error")
PY
read_by() { if [[ -x $folder/bin/$1 ]]; then "$folder/bin/$1" "$2"; else python -W ignore "$folder/parse.py" "$1" "$2" 2>/dev/null; fi; }
for name in crane oras containerd docker-py oras-py; do
  same "$name" "$(read_by $name my_host.local/web:v1)" "my_host.local|web"
  same "$name, a port" "$(read_by $name my_host:5000/web:v1)" "my_host:5000|web"
done
same distribution "$(read_by distribution my_host.local/web:v1)" "|my_host.local/web"
same regclient "$(read_by regclient my_host.local/web:v1)" "docker.io|my_host.local/web"
same docker-image-py "$(read_by docker-image-py my_host.local/web:v1)" error
for name in distribution regclient docker-image-py; do same "$name, a port" "$(read_by $name my_host:5000/web:v1)" error; done

#!/usr/bin/env bash
# crane 0.22.1: `append` of a layer in zstd, without a base, exits with 0 and pushes a manifest of Docker's type with a
# layer of OCI's type, which Docker's has not. skopeo 1.9.3 and buildah 1.28.2 refuse that image; crane reads it.
# Guess: zstd under the type of gzip.
# Seen: one manifest of two formats; with `--oci-empty-base` all is OCI's, and all read it.
source "$(dirname "$0")/lib/setup.sh"
debian skopeo 1.9.3
debian buildah 1.28.2
go_tool github.com/google/go-containerregistry/cmd/crane@v0.22.1
distribution_2
cd "$folder"
echo content >file
tar cf layer.tar file
python_with zstandard==0.25.0
python -c 'import sys, zstandard; sys.stdout.buffer.write(zstandard.compress(sys.stdin.buffer.read()))' <layer.tar >layer.tar.zst
types() { bin/crane manifest --insecure "$host/web:$1" | python3 -c 'import json, sys; found = json.load(sys.stdin); print(found["mediaType"], *(one["mediaType"] for one in found["layers"]))'; }
takes() {
  case $1 in
    crane) bin/crane export --insecure "$host/web:$2" - ;;
    skopeo) skopeo --insecure-policy copy --src-tls-verify=false "docker://$host/web:$2" "dir:$2" ;;
    buildah) buildah --storage-driver vfs --root "$folder/root" --runroot "$folder/run" pull --tls-verify=false "$host/web:$2" ;;
  esac >/dev/null 2>&1 && echo yes || echo no
}
bin/crane append --insecure -f layer.tar.zst -t "$host/web:none" 2>/dev/null >&2
bin/crane append --insecure -f layer.tar.zst -t "$host/web:oci" --oci-empty-base 2>/dev/null >&2
zstd=application/vnd.oci.image.layer.v1.tar+zstd
same "without a base" "$(types none)" "application/vnd.docker.distribution.manifest.v2+json $zstd"
same "with OCI's" "$(types oci)" "application/vnd.oci.image.manifest.v1+json $zstd"
for name in crane skopeo buildah; do
  same "$name, the first" "$(takes $name none)" "$([[ $name == crane ]] && echo yes || echo no)"
  same "$name, the second" "$(takes $name oci)" yes
done

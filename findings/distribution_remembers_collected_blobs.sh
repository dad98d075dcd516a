#!/usr/bin/env bash
# distribution 2.8.2 and 3.1.2 with `cache: {blobdescriptor: inmemory}`, as in its own examples of a configuration: what
# garbage-collect takes away beside the running server is there to it until it is started again. HEAD of a layer is 200 with
# its size, GET is 200 and ends before the first byte, to mount it is 201, and a manifest with it is taken.
# Guess: 2.8.2 so; 3.1.2 looks at its storage, and says 404.
# Seen: crane 0.22.1, which asks for each layer before it sends it, pushes an image with exit code 0 that cannot be pulled.
source "$(dirname "$0")/lib/setup.sh"
go_tool github.com/google/go-containerregistry/cmd/crane@v0.22.1
echo content >"$folder/file"
tar -C "$folder" --mtime=@0 --owner=0 --group=0 -cf "$folder/layer.tar" file
append() { "$folder/bin/crane" append --insecure -f "$folder/layer.tar" -t "$host/web:$1" >/dev/null 2>&1 && echo yes || echo no; }
for version in 2 3; do
  distribution_$version
  binary=$([[ $version == 2 ]] && echo "$folder/debian/usr/bin/docker-registry" || echo "$folder/bin/registry")
  port=$(free_port)
  host=127.0.0.1:$port
  mkdir "$folder/data-$port"
  cat >"$folder/$port.yml" <<YML
version: 0.1
storage: {filesystem: {rootdirectory: $folder/data-$port}, delete: {enabled: true}, cache: {blobdescriptor: inmemory}}
http: {addr: $host}
log: {level: error}
YML
  start() {
    "$binary" serve "$folder/$port.yml" >"$folder/$port.log" 2>&1 &
    servers+=($!)
    wait_for "$port"
  }
  start
  same "distribution $version, pushed" "$(append v1)" yes
  "$folder/bin/crane" manifest --insecure "$host/web:v1" >"$folder/manifest"
  layer=$(python3 -c 'import json, sys; print(json.load(sys.stdin)["layers"][0]["digest"])' <"$folder/manifest")
  blob=$host/v2/web/blobs/$layer
  same "deleted" "$(status -X DELETE "http://$host/v2/web/manifests/$("$folder/bin/crane" digest --insecure "$host/web:v1")")" 202
  "$binary" garbage-collect "$folder/$port.yml" >/dev/null 2>&1
  same "layers in the storage" "$(find "$folder/data-$port" -path "*${layer#*:}/data" | wc -l)" 0
  same "HEAD" "$(status -I "http://$blob")" 200
  same "GET, and the bytes of it" "$(curl -s -o "$folder/got" -w '%{http_code} %{size_download}' "http://$blob" || true)" "200 0"
  same "mounted" "$(status -X POST "http://$host/v2/api/blobs/uploads/?mount=$layer&from=web")" 201
  same "pushed again" "$(append v2)" yes
  same "pulled" "$("$folder/bin/crane" pull --insecure "$host/web:v2" "$folder/pulled.tar" >/dev/null 2>&1 && echo yes || echo no)" no
  kill "${servers[-1]}"
  wait "${servers[-1]}" 2>/dev/null || true
  start
  same "HEAD when it is started again" "$(status -I "http://$blob")" 404
done

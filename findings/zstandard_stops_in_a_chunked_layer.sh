#!/usr/bin/env bash
# python-zstandard 0.25.0: of a layer that skopeo 1.9.3 wrote as `zstd:chunked`, a stream of many frames, half of its calls
# give the first frame, 1 KiB, and no error: `decompress`, `decompressobj`, `read_to_iter`. `stream_reader`, `copy_stream`
# and `stream_writer` give it all. zstd 1.5.7.2 (PyPI) fails at it, pyzstd 0.20.0 and fzstd 0.1.1 (npm) read it.
# Guess: the first frame alone by `decompress` and `stream_reader`; all of it by zstd.
# Seen: as said. What looks for a file in a layer, or for its uncompressed digest, finds the head of the first entry.
source "$(dirname "$0")/lib/setup.sh"
debian skopeo 1.9.3
python_with zstandard==0.25.0 zstd==1.5.7.2 pyzstd==0.20.0
node_with fzstd@0.1.1
go_tool github.com/google/go-containerregistry/cmd/crane@v0.22.1
distribution_2
cd "$folder"
mkdir files
seq 30000 >files/one
seq 50000 >files/two
tar --sort=name -cf layer.tar files
"$folder/bin/crane" append --insecure -f layer.tar -t "$host/web:gzip" >/dev/null 2>&1
skopeo --insecure-policy copy -q --src-tls-verify=false --dest-compress-format zstd:chunked "docker://$host/web:gzip" oci:layout:zstd
layer=$(python3 - <<'PY'
import json

def blob(digest):
    return f"layout/blobs/{digest.replace(':', '/')}"

index = json.load(open("layout/index.json"))
manifest = json.load(open(blob(index["manifests"][0]["digest"])))
print(blob(manifest["layers"][0]["digest"]))
PY
)
cp "$layer" layer.zst
cat >by.py <<'PY'
import io
import sys

import pyzstd
import zstandard
import zstd

layer, made, written = open("layer.zst", "rb").read(), zstandard.ZstdDecompressor(), io.BytesIO()


def copy():
    made.copy_stream(io.BytesIO(layer), written)
    return written.getvalue()


def write():
    with made.stream_writer(written, closefd=False) as target:
        target.write(layer)
    return written.getvalue()


calls = {
    "decompress": lambda: made.decompress(layer),
    "decompressobj": lambda: made.decompressobj().decompress(layer),
    "read_to_iter": lambda: b"".join(made.read_to_iter(io.BytesIO(layer))),
    "stream_reader": lambda: made.stream_reader(io.BytesIO(layer)).read(),
    "copy_stream": copy,
    "stream_writer": write,
    "zstd": lambda: zstd.decompress(layer),
    "pyzstd": lambda: pyzstd.decompress(layer),
}
try:
    print(len(calls[sys.argv[1]]()))
except zstd.Error:
    print("fails")
PY
whole=$(stat -c %s layer.tar)
for call in decompress decompressobj read_to_iter; do same "$call" "$(python by.py $call)" 1024; done
for call in stream_reader copy_stream stream_writer pyzstd; do same "$call" "$(python by.py $call)" "$whole"; done
same fzstd "$(node -p 'require("fzstd").decompress(require("fs").readFileSync("layer.zst")).length')" "$whole"
same zstd "$(python by.py zstd)" fails

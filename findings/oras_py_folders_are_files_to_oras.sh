#!/usr/bin/env bash
# oras-py 0.2.43: `push` of a folder makes a .tar.gz of it under the folder's name, without the annotation
# `io.deis.oras.content.unpack` by which oras 1.3.6 knows a folder: `oras pull` writes one file of that name, and exits with 0.
# oras-py unpacks by the media type, oras's folders as its own.
# Guess: each unpacks what the other has pushed.
# Seen: the one half of it; a step that goes on with `folder/file` fails, or makes the folder beside the file.
source "$(dirname "$0")/lib/setup.sh"
python_with oras==0.2.43
go_tool oras.land/oras/cmd/oras@v1.3.6
distribution_2
cd "$folder"
mkdir data
echo content >data/file
bin/oras push --plain-http "$host/web:oras" data >/dev/null
by_python() {
  python -c '
import sys
from oras.client import OrasClient
call, target, where = sys.argv[1:]
client = OrasClient(insecure=True)
client.push(target=target, files=[where]) if call == "push" else client.pull(target=target, outdir=where)' "$@" >/dev/null
}
by_python push "$host/web:oras-py" data
pulled() {
  mkdir "$1-$2"
  if [[ $1 == oras ]]; then bin/oras pull --plain-http -o "$1-$2" "$host/web:$2" >/dev/null; else by_python pull "$host/web:$2" "$1-$2"; fi
  (cd "$1-$2" && find . -type f | xargs)
}
for name in oras oras-py; do same "oras's folder, by $name" "$(pulled $name oras)" ./data/file; done
same "oras-py's folder, by itself" "$(pulled oras-py oras-py)" ./data/file
same "oras-py's folder, by oras" "$(pulled oras oras-py)" ./data
same "that file" "$(tar tzf oras-oras-py/data | grep -c file)" 1

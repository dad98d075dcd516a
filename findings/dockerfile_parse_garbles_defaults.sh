#!/usr/bin/env bash
# dockerfile-parse 2.0.1 (PyPI): an image with a default in it, as `FROM alpine:${V:-3.19}`, becomes "alpine::-3.19}" in
# `baseimage` and `parent_images`: it replaces the name of the variable, and leaves the rest.
# Guess: it is left as it is, to be seen, or becomes alpine:3.19.
# Seen: a reference that is none, and no error. With the variable given a value, the default is appended to that.
source "$(dirname "$0")/lib/setup.sh"
python_with dockerfile-parse==2.0.1
base() {
  python -c '
import io, sys
from dockerfile_parse import DockerfileParser
parser = DockerfileParser(fileobj=io.BytesIO())
parser.content = sys.argv[1]
print(parser.baseimage)' "$1"
}
same "a default" "$(base $'ARG V\nFROM alpine:${V:-3.19}\n')" "alpine::-3.19}"
same "a default that is not needed" "$(base $'ARG V=3.20\nFROM alpine:${V:-3.19}\n')" "alpine:3.20:-3.19}"
same "a suffix taken off" "$(base $'ARG V=3.20-rc\nFROM alpine:${V%-rc}\n')" "alpine:3.20-rc%-rc}"
same "a plain variable" "$(base $'ARG V=3.20\nFROM alpine:${V}\n')" alpine:3.20

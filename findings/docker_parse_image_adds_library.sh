#!/usr/bin/env bash
# docker-parse-image 3.0.1 (npm): an image at a registry of one's own gets Docker Hub's `library/` into its full name, one
# in a nested repository cannot be parsed at all, and `a/b/c` is at a registry called "a".
# Guess: it knows a registry by its dot or port, and `library/` for Docker Hub alone.
# Seen: example.com:5000/library/web:latest, which nobody has; null for example.com/a/b/c:v1.
source "$(dirname "$0")/lib/setup.sh"
node_with docker-parse-image@3.0.1
parsed() { (cd "$folder" && node -e 'const image = require("docker-parse-image")(process.argv[1]); console.log(image && image[process.argv[2]])' "$1" "$2"); }
same "web" "$(parsed web fullname)" library/web:latest
same "at a registry" "$(parsed example.com:5000/web fullname)" example.com:5000/library/web:latest
same "in a namespace there" "$(parsed example.com/team/web fullname)" example.com/team/web:latest
same "nested" "$(parsed example.com/a/b/c:v1 fullname)" null
same "nested, at Docker Hub" "$(parsed a/b/c registry)" a

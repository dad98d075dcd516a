#!/usr/bin/env bash
# oras-py 0.2.43 and docker-parse-image 3.0.1 (npm): `localhost/web` is the repository "web" of the user "localhost" at
# Docker Hub. To docker-py 7.2.0 and docker-image-py 0.2.0, as to Docker, crane and skopeo, localhost is a registry.
# Guess: a registry to oras-py too; to crane it is none.
# Seen: Docker Hub's, by two. With a port all agree.
source "$(dirname "$0")/lib/setup.sh"
python_with oras==0.2.43 docker==7.2.0 docker-image-py==0.2.0
node_with docker-parse-image@3.0.1
registry() {
  case $1 in
    oras-py) python -c 'import sys; from oras.container import Container; print(Container(sys.argv[1]).registry)' "$2" ;;
    docker-py) python -c 'import sys; from docker.auth import resolve_repository_name; print(resolve_repository_name(sys.argv[1])[0])' "$2" ;;
    docker-image-py) python -c 'import sys; from docker_image.reference import Reference; print(Reference.parse_normalized_named(sys.argv[1]).string().partition("/")[0])' "$2" ;;
    *) (cd "$folder" && node -p 'require("docker-parse-image")(process.argv[1]).registry' "$2") ;;
  esac
}
same oras-py "$(registry oras-py localhost/web)" docker.io
same docker-parse-image "$(registry docker-parse-image localhost/web)" null
for name in docker-py docker-image-py; do same $name "$(registry $name localhost/web)" localhost; done
for name in oras-py docker-parse-image docker-py docker-image-py; do
  same "$name, with a port" "$(registry $name localhost:5000/web)" localhost:5000
done

#!/usr/bin/env bash
# distribution 2.8.2 and 3.1.2: an OCI manifest asked for with `Accept: */*`, with `application/*` or with
# no Accept at all is a 404, by tag and by digest. 2.8.2 also takes a media type in other case for another.
# Guess: `*/*` gets it, as HTTP says, at the latest in version 3.
# Seen: 404, `OCI manifest found, but accept header does not support OCI manifests`: a tool with a default
# Accept header takes an image that is there for one that is gone.
source "$(dirname "$0")/lib/setup.sh"
ask() { status "http://$host/v2/web/manifests/$1" -H "Accept: $2"; }
for server in distribution_2 distribution_3; do
  $server
  read -r digest _ < <(push web v1)
  same "$server, */*" "$(ask v1 '*/*')" 404
  same "$server, */*, by digest" "$(ask "$digest" '*/*')" 404
  same "$server, application/*" "$(ask v1 'application/*')" 404
  same "$server, no Accept" "$(ask v1 '')" 404
  other=$([[ $server == distribution_2 ]] && echo 404 || echo 200)
  same "$server, other case" "$(ask v1 'application/vnd.OCI.image.manifest.v1+json')" "$other"
  same "$server, its type" "$(ask v1 'application/vnd.oci.image.manifest.v1+json')" 200
done

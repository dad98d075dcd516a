#!/usr/bin/env bash
# @snyk/docker-registry-v2-client 4.0.5: `getManifest` of an image of OCI, without options, fails with 404 at
# registries that heed the Accept header: it asks for Docker's schema 2 alone.
# Guess: it asks for both, since most images that are pushed today are of OCI.
# Seen: 404 at distribution 2.8.2 and 3.1.2, as for an image that is not there; its list of tags has the image.
source "$(dirname "$0")/lib/setup.sh"
cd "$folder"
npm install --silent --no-audit --no-fund --ignore-scripts @snyk/docker-registry-v2-client@4.0.5 >/dev/null 2>&1
cat >ask.js <<'JS'
const client = require("@snyk/docker-registry-v2-client");
const [host, what] = process.argv.slice(2);
const none = [undefined, undefined];
const options = { protocol: "http" };
const asked = what === "tags"
  ? client.getTags(host, "web", ...none, ...none, options)
  : client.getManifest(host, "web", "v1", ...none, options);
asked.then((seen) => console.log(String(seen)), (error) => console.log(error.statusCode || error.message));
JS
for server in distribution_2 distribution_3; do
  $server
  push web v1 >/dev/null
  same "$server, tags" "$(node ask.js "$host" tags)" v1
  same "$server, manifest" "$(node ask.js "$host" manifest)" 404
done

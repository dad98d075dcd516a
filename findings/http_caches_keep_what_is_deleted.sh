#!/usr/bin/env bash
# HTTP caches at distribution 3.1.2, which sends `max-age` of a year for blobs and an ETag for manifests, after DELETE of a
# blob and of a manifest: by the session's own DELETE they are gone to CacheControl 0.14.4, make-fetch-happen 14.0.3 and
# undici 7.30.2; requests-cache 1.3.3, hishel 2.0.0, got 14.6.6 and axios-cache-interceptor 1.12.3 keep both. By another
# client's DELETE, all keep the blob, and all but undici the manifest: those that ask again are told 304.
# Guess: with one's own DELETE gone but to requests-cache; with another's the blob stays, and the manifest is asked anew: 404.
# Seen: 200 for what is not there. A clean-up that shares such a session proves nothing by looking after its DELETE.
source "$(dirname "$0")/lib/setup.sh"
python_with CacheControl==0.14.4 requests-cache==1.3.3 'hishel[requests]==2.0.0' requests==2.34.2
node_with make-fetch-happen@14.0.3 got@14.6.6 undici@7.30.2 axios-cache-interceptor@1.12.3 axios@1.21.1
distribution_3
cat >"$folder/look.py" <<'PY'
import subprocess
import sys

import requests

name, whose, base, accept, *paths = sys.argv[1:]
if name == "CacheControl":
    from cachecontrol import CacheControl

    session = CacheControl(requests.Session())
elif name == "requests-cache":
    from requests_cache import CachedSession

    session = CachedSession(backend="memory", cache_control=True)
else:
    from hishel.requests import CacheAdapter

    session = requests.Session()
    session.mount("http://", CacheAdapter())
for path in paths:
    session.get(base + path, headers={"Accept": accept}).content
for path in paths:
    if whose == "own":
        session.delete(base + path)
    else:
        subprocess.run(["curl", "-s", "-X", "DELETE", base + path], check=True)
print(*(session.get(base + path, headers={"Accept": accept}).status_code for path in paths))
PY
cat >"$folder/look.mjs" <<'JS'
import { execFileSync } from "node:child_process";

const [name, whose, base, accept, ...paths] = process.argv.slice(2);
const headers = { accept };
const asks = {
  async "make-fetch-happen"() {
    const { default: fetch } = await import("make-fetch-happen");
    const cached = fetch.defaults({ cachePath: `./cache-${process.pid}`, retry: false });
    return async (method, path) => {
      const answer = await cached(base + path, { method, headers });
      await answer.text();
      return answer.status;
    };
  },
  async got() {
    const { got } = await import("got");
    const options = { cache: new Map(), throwHttpErrors: false, retry: { limit: 0 }, headers };
    return async (method, path) => (await got(base + path, { ...options, method })).statusCode;
  },
  async undici() {
    const { Agent, interceptors, request } = await import("undici");
    const dispatcher = new Agent().compose(interceptors.cache());
    return async (method, path) => {
      const answer = await request(base + path, { method, headers, dispatcher });
      await answer.body.text();
      return answer.statusCode;
    };
  },
  async "axios-cache-interceptor"() {
    const { default: axios } = await import("axios");
    const { setupCache } = await import("axios-cache-interceptor");
    const cached = setupCache(axios.create());
    return async (method, path) =>
      (await cached.request({ method, url: base + path, headers, validateStatus: () => true })).status;
  },
};
const ask = await asks[name]();
for (const path of paths) await ask("GET", path);
for (const path of paths) {
  if (whose === "own") await ask("DELETE", path);
  else execFileSync("curl", ["-s", "-X", "DELETE", base + path]);
}
const seen = [];
for (const path of paths) seen.push(await ask("GET", path));
console.log(...seen);
process.exit(0);
JS
type=application/vnd.oci.image.manifest.v1+json
# looked NAME WHOSE: the blob and the manifest, asked for again after the DELETE of each.
looked() {
  local digest arguments
  read -r digest _ <<<"$(push web v1)"
  arguments=("$1" "$2" "http://$host/v2/web" $type "/blobs/sha256:$(printf 'layer of an image' | sha256sum | cut -d ' ' -f 1)" "/manifests/$digest")
  case $1 in
    CacheControl | requests-cache | hishel) (cd "$(mktemp -d -p "$folder")" && python "$folder/look.py" "${arguments[@]}") ;;
    *) (cd "$folder" && node look.mjs "${arguments[@]}") ;;
  esac
}
for name in CacheControl make-fetch-happen undici; do same "$name, its own DELETE" "$(looked $name own)" "404 404"; done
for name in requests-cache hishel got axios-cache-interceptor; do same "$name, its own DELETE" "$(looked $name own)" "200 200"; done
for name in CacheControl make-fetch-happen undici requests-cache hishel got axios-cache-interceptor; do
  same "$name, another's DELETE" "$(looked $name another)" "200 $([[ $name == undici ]] && echo 404 || echo 200)"
done

#!/usr/bin/env bash
# A DELETE that is answered by 429 or 503, without Retry-After, and a POST: who asks again, with retries switched on and nothing
# else? aiohttp-retry 2.9.1 (PyPI) repeats a POST after 503, but no DELETE after 429; superagent 10.4.2 (npm) repeats POSTs after
# either; ofetch 1.5.1 (npm), requests 2.34.2 with max_retries, urllib3 2.8.0 (PyPI) and resty 2.17.2 (Go) repeat none of them.
# Guess: axios-retry leaves out 429, as its README says of 5xx; aiohttp-retry repeats neither after 429.
# Seen: axios-retry 4.5.0 repeats a DELETE after 429. What is asked twice, and what is given up, differs by library alone.
source "$(dirname "$0")/lib/setup.sh"
node_with axios@1.21.1 axios-retry@4.5.0 superagent@10.4.2 ofetch@1.5.1 got@14.6.6
python_with aiohttp==3.14.5 aiohttp-retry==2.9.1 httpx==0.28.1 httpx-retries==0.6.0 requests==2.34.2 urllib3==2.8.0
go_program resty github.com/go-resty/resty/v2 v2.17.2 <<'GO'
package main

import (
	"os"

	"github.com/go-resty/resty/v2"
)

func main() {
	resty.New().SetRetryCount(2).R().Execute(os.Args[1], os.Args[2])
}
GO
cat >"$folder/serve.py" <<'PY'
from answering import Answering, serve


class Handler(Answering):
    asked = set()

    def delete(self):
        self.body()
        print(self.path, flush=True)
        status = 204 if self.path in self.asked else int(self.path.split("/")[1])
        self.asked.add(self.path)
        self.answer(status)

    post = delete


serve(Handler)
PY
port=$(free_port)
server "$folder/serve.py" "$port" >"$folder/asked" &
servers+=($!)
wait_for "$port"
cat >"$folder/by.mjs" <<'JS'
const [name, method, url] = process.argv.slice(2);
const ways = {
  got: async () => (await import("got")).default(url, { method, retry: { limit: 2 } }),
  "axios-retry": async () => {
    const axios = (await import("axios")).default.create();
    (await import("axios-retry")).default(axios, { retries: 2 });
    return axios.request({ url, method });
  },
  superagent: async () => (await import("superagent")).default(method, url).retry(2),
  ofetch: async () => (await import("ofetch")).ofetch(url, { method }),
};
await ways[name]().catch(() => {});
process.exit(0);
JS
cat >"$folder/by.py" <<'PY'
import asyncio
import sys

name, method, url = sys.argv[1:]


async def aiohttp_retry():
    from aiohttp_retry import ExponentialRetry, RetryClient

    async with RetryClient(retry_options=ExponentialRetry(attempts=3)) as client:
        async with client.request(method, url):
            pass


if name == "aiohttp-retry":
    asyncio.run(aiohttp_retry())
elif name == "httpx-retries":
    import httpx
    from httpx_retries import RetryTransport

    httpx.Client(transport=RetryTransport()).request(method, url)
elif name == "requests":
    import requests
    from requests.adapters import HTTPAdapter

    session = requests.Session()
    session.mount("http://", HTTPAdapter(max_retries=2))
    session.request(method, url)
else:
    import urllib3

    urllib3.PoolManager().request(method, url, retries=urllib3.Retry(2))
PY
# asks NAME: how often, for DELETE and POST after 429, and for both after 503.
asks() {
  local status method path seen=()
  for status in 429 503; do
    for method in DELETE POST; do
      path=/$status/$1/$method
      case $1 in
        resty) "$folder/bin/resty" "$method" "http://127.0.0.1:$port$path" ;;
        got | axios-retry | superagent | ofetch) (cd "$folder" && node by.mjs "$1" "$method" "http://127.0.0.1:$port$path") ;;
        *) python "$folder/by.py" "$1" "$method" "http://127.0.0.1:$port$path" ;;
      esac >/dev/null 2>&1
      seen+=("$(grep -cx "$path" "$folder/asked")")
    done
  done
  echo "${seen[*]}"
}
for name in got axios-retry httpx-retries; do same "$name" "$(asks $name)" "2 1 2 1"; done
same "aiohttp-retry" "$(asks aiohttp-retry)" "1 1 2 2"
same "superagent" "$(asks superagent)" "2 2 2 2"
for name in ofetch requests urllib3 resty; do same "$name" "$(asks $name)" "1 1 1 1"; done

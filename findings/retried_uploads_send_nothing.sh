#!/usr/bin/env bash
# A PUT of a stream of 4,000 bytes that is answered by 503, with retries of 503 switched on. aiohttp-retry 2.9.1 (an async
# generator, and BytesIO), requests 2.34.2 and urllib3 2.8.0 (a generator), httpx-retries 0.6.0 (an iterator that is no generator),
# axios-retry 4.5.0 (a stream of Node.js): the second PUT has no byte, the server takes it, and the caller is told 201. got
# 14.6.6, undici 7.30.2 and ofetch 1.5.1 send no second one; ky 1.14.3 sends all bytes again, and so do requests and urllib3 with
# a file.
# Guess: an empty one by aiohttp-retry alone; requests and httpx-retries raise an error before it, axios-retry waits for ever.
# Seen: four more. An upload of a blob whose digest nobody checks is then empty, and counts as done.
source "$(dirname "$0")/lib/setup.sh"
python_with aiohttp==3.14.5 aiohttp-retry==2.9.1 requests==2.34.2 urllib3==2.8.0 httpx==0.28.1 httpx-retries==0.6.0
node_with axios@1.21.1 axios-retry@4.5.0 ky@1.14.3 got@14.6.6 ofetch@1.5.1 undici@7.30.2
cat >"$folder/serve.py" <<'PY'
from answering import Answering, serve


class Handler(Answering):
    asked = set()
    cut = False

    def chunks(self):
        while line := self.rfile.readline():
            if not (size := int(line, 16)):
                return self.rfile.readline()
            yield len(self.rfile.read(size))
            self.rfile.readline()
        self.close_connection = self.cut = True

    def put(self):
        if self.headers.get("Transfer-Encoding") == "chunked":
            length = sum(self.chunks())
        else:
            length = len(self.body())
        if self.cut:
            return
        print(self.path, length, flush=True)
        status = 201 if self.path in self.asked else 503
        self.asked.add(self.path)
        self.answer(status)


serve(Handler)
PY
cat >"$folder/by.py" <<'PY'
import asyncio
import io
import sys

name, body, url = sys.argv[1:]
parts = [b"x" * 1000] * 4


async def pieces():
    for part in parts:
        yield part


async def by_aiohttp():
    from aiohttp_retry import ExponentialRetry, RetryClient

    data = pieces() if body == "generator" else io.BytesIO(b"".join(parts))
    async with RetryClient(retry_options=ExponentialRetry(attempts=3)) as client:
        async with client.put(url, data=data) as answer:
            return answer.status


def put():
    if name == "aiohttp-retry":
        return asyncio.run(by_aiohttp())
    if body == "file":
        with open("body", "wb") as out:
            out.write(b"".join(parts))
    if body == "file":
        data = open("body", "rb")
    else:
        data = (part for part in parts) if body == "generator" else iter(parts)
    if name == "httpx-retries":
        import httpx
        from httpx_retries import RetryTransport

        return httpx.Client(transport=RetryTransport()).put(url, content=data).status_code
    from urllib3 import PoolManager, Retry

    retry = Retry(3, status_forcelist=[503])
    if name == "urllib3":
        return PoolManager().request("PUT", url, body=data, retries=retry).status
    import requests
    from requests.adapters import HTTPAdapter

    session = requests.Session()
    session.mount("http://", HTTPAdapter(max_retries=retry))
    return session.put(url, data=data).status_code


try:
    print(put())
except Exception:
    print("error")
PY
cat >"$folder/by.mjs" <<'JS'
import { Readable } from "node:stream";

const [name, url] = process.argv.slice(2);
const pieces = function* () { for (let i = 0; i < 4; i++) yield Buffer.alloc(1000, 120); };
const body = () => Readable.from(pieces());
const web = () => Readable.toWeb(body());
const ways = {
  async "axios-retry"() {
    const axios = (await import("axios")).default.create();
    (await import("axios-retry")).default(axios, { retries: 3 });
    return (await axios.put(url, body())).status;
  },
  ky: async () => (await (await import("ky")).default.put(url, { body: web(), duplex: "half", retry: 3 })).status,
  got: async () => (await (await import("got")).default.put(url, { body: body(), retry: { limit: 3 } })).statusCode,
  ofetch: async () => (await (await import("ofetch")).ofetch.raw(url, { method: "PUT", body: web(), duplex: "half", retry: 3 })).status,
  async undici() {
    const { Agent, interceptors, request } = await import("undici");
    return (await request(url, { method: "PUT", body: body(), dispatcher: new Agent().compose(interceptors.retry()) })).statusCode;
  },
};
console.log(await ways[name]().catch(() => "error"));
process.exit(0);
JS
port=$(free_port)
server "$folder/serve.py" "$port" >"$folder/asked" &
servers+=($!)
wait_for "$port"
# puts NAME [BODY]: the bytes of each PUT, and what the caller is told.
puts() {
  local path=/$1-${2:-stream} told
  told=$(cd "$folder" && if [[ ${2:-} ]]; then "$folder/venv/bin/python" by.py "$1" "$2" "http://127.0.0.1:$port$path"; else node --no-warnings by.mjs "$1" "http://127.0.0.1:$port$path"; fi 2>/dev/null)
  echo "$(grep "^$path " "$folder/asked" | cut -d ' ' -f 2 | xargs), $told"
}
same "aiohttp-retry, an async generator" "$(puts aiohttp-retry generator)" "4000 0, 201"
same "aiohttp-retry, BytesIO" "$(puts aiohttp-retry bytesio)" "4000 0, 201"
for name in requests urllib3; do
  same "$name, a generator" "$(puts $name generator)" "4000 0, 201"
  same "$name, a file" "$(puts $name file)" "4000 4000, 201"
done
same "axios-retry" "$(puts axios-retry)" "4000 0, 201"
same "httpx-retries, a generator" "$(puts httpx-retries generator)" "4000, error"
same "httpx-retries, an iterator" "$(puts httpx-retries iterator)" "4000 0, 201"
same "ky" "$(puts ky)" "4000 4000, 201"
for name in got ofetch undici; do same "$name" "$(puts $name)" "4000, error"; done

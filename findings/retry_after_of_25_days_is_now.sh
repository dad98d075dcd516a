#!/usr/bin/env bash
# A 429 whose Retry-After is more than 24.8 days (2,147,483 seconds), as that of a quota of a month: got 14.6.6 and
# axios-retry 4.5.0 (npm) ask again at once, since a timer of Node.js cannot wait so long and then fires after 1 ms.
# ky 1.14.3, undici 7.30.2 (npm) and urllib3 2.8.0 (PyPI) do not.
# Guess: all wait, or give up.
# Seen: of 24 days all wait; of 25 days two do not wait at all.
source "$(dirname "$0")/lib/setup.sh"
node_with got@14.6.6 axios@1.21.1 axios-retry@4.5.0 ky@1.14.3 undici@7.30.2
python_with urllib3==2.8.0
cat >"$folder/by.mjs" <<'JS'
const [name, url] = process.argv.slice(2);
const ways = {
  got: async () => (await import("got")).default(url, { retry: { limit: 1 } }),
  "axios-retry": async () => {
    const axios = (await import("axios")).default.create();
    (await import("axios-retry")).default(axios, { retries: 1, retryCondition: () => true });
    return axios.get(url);
  },
  ky: async () => (await import("ky")).default(url, { retry: { limit: 1 }, timeout: false }),
  undici: async () => {
    const { Agent, RetryAgent, request } = await import("undici");
    return request(url, { dispatcher: new RetryAgent(new Agent(), { maxRetries: 1 }) });
  },
};
const late = new Promise((resolve) => setTimeout(resolve, 4000, "waits"));
console.log(await Promise.race([ways[name]().then(() => "at once", (error) => error.name), late]));
process.exit(0);
JS
cat >"$folder/by.py" <<'PY'
import os
import sys
import threading

import urllib3


def late():
    print("waits", flush=True)
    os._exit(0)


threading.Timer(4, late).start()
urllib3.PoolManager().request("GET", sys.argv[1], retries=urllib3.Retry(1, status_forcelist=[429]))
print("at once", flush=True)
os._exit(0)
PY
# after NAME DAYS
after() {
  answers "later $(($2 * 86400))"
  if [[ $1 == urllib3 ]]; then python "$folder/by.py" "http://$host/v2/web/tags/list"; else (cd "$folder" && node by.mjs "$1" "http://$host/v2/web/tags/list" 2>/dev/null); fi
}
for name in got axios-retry ky undici urllib3; do same "$name, 24 days" "$(after $name 24)" waits; done
for name in got axios-retry; do same "$name, 25 days" "$(after $name 25)" "at once"; done
for name in ky undici urllib3; do same "$name, 25 days" "$(after $name 25)" waits; done

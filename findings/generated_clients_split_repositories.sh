#!/usr/bin/env bash
# The repository `team/web` in a path of DigitalOcean's kind, `/registries/{registry_name}/repositories/{repository_name}/tags`,
# by clients that are made from an OpenAPI description: orval 7.13.2, swagger-typescript-api 13.13.0, openapi-typescript-codegen
# 0.31.0, openapi-zod-client 1.18.3 with zodios 10.9.6, feature-fetch 0.0.55 (npm) and aiopenapi3 0.11.0 (PyPI) leave the slash
# as it is: another path. openapi-fetch 0.17.0 (npm) and openapi-python-client 0.29.1 (PyPI) encode it.
# Guess: orval and swagger-typescript-api leave it; the rest encodes.
# Seen: four more leave it. Whether a repository with a slash exists depends on the generator.
source "$(dirname "$0")/lib/setup.sh"
python_with openapi-python-client==0.29.1 aiopenapi3==0.11.0 httpx==0.28.1
node_with orval@7.13.2 swagger-typescript-api@13.13.0 openapi-typescript-codegen@0.31.0 openapi-zod-client@1.18.3 @zodios/core@10.9.6 \
  zod@3.25.76 axios@1.21.1 feature-fetch@0.0.55 openapi-fetch@0.17.0 typescript@5.9.3 tsx@4.23.15
port=$(free_port)
base=http://127.0.0.1:$port
cat >"$folder/serve.py" <<'PY'
import json
import sys

from answering import Answering, serve

port = int(sys.argv[1])
PATH = "/v2/registries/{registry_name}/repositories/{repository_name}/tags"
TEXT = {"type": "string"}
NAMES = [
    {"name": name, "in": "path", "required": True, "schema": TEXT}
    for name in ("registry_name", "repository_name")
]
TAGS = {"type": "object", "properties": {"tags": {"type": "array", "items": TEXT}}}
ANSWER = {"description": "the tags", "content": {"application/json": {"schema": TAGS}}}
LIST = {"operationId": "list_tags", "tags": ["registry"], "parameters": NAMES, "responses": {"200": ANSWER}}
API = {
    "openapi": "3.0.3",
    "info": {"title": "Registry", "version": "1"},
    "servers": [{"url": f"http://127.0.0.1:{port}"}],
    "paths": {PATH: {"get": LIST}},
}
with open("api.json", "w") as out:
    json.dump(API, out)


class Handler(Answering):
    def get(self):
        described = self.path.endswith(".json")
        if "/tags" in self.path:
            print(self.path.partition("repositories/")[2].partition("/tags")[0], flush=True)
        self.answer(200, API if described else {"tags": []})


serve(Handler)
PY
(cd "$folder" && server serve.py "$port") >"$folder/asked" &
servers+=($!)
wait_for "$port"
cd "$folder"
{
  npx orval --input api.json --output made/orval.ts --client fetch
  npx swagger-typescript-api generate -p api.json -o made -n sta.ts
  npx openapi --input api.json --output made/codegen
  npx openapi-zod-client api.json -o made/zod.ts --base-url "$base"
  venv/bin/openapi-python-client generate --path api.json --output-path made_python --meta none
} >made.log 2>&1
cat >by.mts <<'TS'
const [name, base] = process.argv.slice(2);
const names = { registry_name: "example", repository_name: "team/web" };
const path = "/v2/registries/{registry_name}/repositories/{repository_name}/tags";
const plain = (module: any) => module.default?.default ?? module.default ?? module;
const ways: Record<string, () => Promise<unknown>> = {
  async orval() {
    const relative = fetch;
    globalThis.fetch = (url: any, options: any) => relative(base + url, options);
    return (await import("./made/orval.ts")).listTags("example", "team/web");
  },
  async "swagger-typescript-api"() {
    return new (await import("./made/sta.ts")).Api({ baseUrl: base }).v2.listTags("example", "team/web");
  },
  async "openapi-typescript-codegen"() {
    const made = await import("./made/codegen/index.ts");
    made.OpenAPI.BASE = base;
    return made.RegistryService.listTags("example", "team/web");
  },
  async "openapi-zod-client"() {
    const api: any = (await import("./made/zod.ts")).createApiClient(base);
    return api.get("/v2/registries/:registry_name/repositories/:repository_name/tags", { params: names });
  },
  async "feature-fetch"() {
    const api: any = (await import("feature-fetch")).createOpenApiFetchClient({ prefixUrl: base });
    return api.get(path, { pathParams: names });
  },
  async "openapi-fetch"() {
    const api: any = plain(await import("openapi-fetch"))({ baseUrl: base });
    return api.GET(path, { params: { path: names } });
  },
};
await ways[name]().catch(() => {});
process.exit(0);
TS
cat >by.py <<'PY'
import sys

name, base = sys.argv[1:]
if name == "aiopenapi3":
    from aiopenapi3 import OpenAPI

    api = OpenAPI.load_sync(f"{base}/api.json")
    api._.list_tags(parameters={"registry_name": "example", "repository_name": "team/web"})
else:
    from made_python import Client
    from made_python.api.registry import list_tags

    list_tags.sync(client=Client(base_url=base), registry_name="example", repository_name="team/web")
PY
# asks NAME: for which repository.
asks() {
  : >asked
  case $1 in
    aiopenapi3 | openapi-python-client) venv/bin/python -W ignore by.py "$1" "$base" ;;
    *) node --no-warnings --import tsx by.mts "$1" "$base" ;;
  esac >made.log 2>&1
  tr -d '\0' <asked
}
for name in orval swagger-typescript-api openapi-typescript-codegen openapi-zod-client feature-fetch aiopenapi3; do
  same "$name" "$(asks $name)" team/web
done
for name in openapi-fetch openapi-python-client; do
  same "$name" "$(asks $name)" team%2Fweb
done

#!/usr/bin/env bash
# @digitalocean/dots 1.19.0 (npm), the vendor's client: the address of the next page, `links.pages.next` in its types, is
# undefined at run time; it is in `links.pages.additionalData.next`. What is thrown for a 404 is no Error, and has no
# message: the text is in `messageEscaped`.
# Guess: `links.pages.next` is there, and an error is an Error of a class of its own.
# Seen: a loop that ends when there is no next page ends after the first; `error.message` and `error.stack` are undefined.
source "$(dirname "$0")/lib/setup.sh"
node_with @digitalocean/dots@1.19.0 @microsoft/kiota-http-fetchlibrary@1.0.0-preview.109
cat >"$folder/by.mjs" <<'JS'
import http from "node:http";
import { createDigitalOceanClient, DigitalOceanApiKeyAuthenticationProvider } from "@digitalocean/dots";
import { FetchRequestAdapter } from "@microsoft/kiota-http-fetchlibrary";

const server = http.createServer((request, response) => {
  const url = new URL(request.url, "http://here");
  const found = url.pathname.endsWith("/repositories/web/tags");
  const page = Number(url.searchParams.get("page") ?? 1);
  const next = `http://here${url.pathname}?page=${page + 1}&per_page=2`;
  const body = found
    ? { tags: [{ tag: `v${page}a` }, { tag: `v${page}b` }], meta: { total: 6 }, links: { pages: page < 3 ? { next, last: next } : {} } }
    : { id: "not_found", message: "no such repository" };
  response.writeHead(found ? 200 : 404, { "Content-Type": "application/json" }).end(JSON.stringify(body));
});
await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
const adapter = new FetchRequestAdapter(new DigitalOceanApiKeyAuthenticationProvider("none"));
const client = createDigitalOceanClient(adapter);
adapter.baseUrl = `http://127.0.0.1:${server.address().port}`;
const repositories = client.v2.registries.byRegistry_name("example").repositories;

async function walk(next) {
  const tags = [];
  for (let page = 1; ; page++) {
    const answer = await repositories.byRepository_name("web").tags.get({ queryParameters: { page, perPage: 2 } });
    tags.push(...answer.tags.map((each) => each.tag));
    if (!next(answer.links.pages)) return tags.join(" ");
  }
}

async function fails() {
  try {
    await repositories.byRepository_name("other").tags.get();
  } catch (error) {
    return [error instanceof Error, error.message, error.stack, error.messageEscaped].join(", ");
  }
}

const ways = { typed: () => walk((pages) => pages.next), additional: () => walk((pages) => pages.additionalData?.next), fails };
console.log(await ways[process.argv[2]]());
process.exit(0);
JS
by() { (cd "$folder" && node by.mjs "$1"); }
same "pages while links.pages.next" "$(by typed)" "v1a v1b"
same "pages while links.pages.additionalData.next" "$(by additional)" "v1a v1b v2a v2b v3a v3b"
same "a 404: an Error, message, stack, messageEscaped" "$(by fails)" "false, , , no such repository"
grep -A 12 'export interface Forward_links ' "$folder/node_modules/@digitalocean/dots/src/dots/models/index.ts" | grep -q 'next?: string' || { echo "the types have no next" >&2; exit 1; }

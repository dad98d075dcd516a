#!/usr/bin/env bash
# `X-RateLimit-Reset`, by servers' limiters: express-rate-limit 8.7.5 (npm) and ulule/limiter 3.11.2 (Go) send the second at which
# it is, @fastify/rate-limit 11.2.0 (npm) the seconds until then, sethvargo/go-limiter 0.7.1 (Go) a date, which is in its
# Retry-After as well, and koa-ratelimit 6.0.0 (npm), with its memory, the second with a fraction.
# Guess: so, but whole seconds by koa-ratelimit.
# Seen: a client that reads a whole number has an error at koa-ratelimit; one that takes it for a point in time waits not at all at fastify.
source "$(dirname "$0")/lib/setup.sh"
node_with express@5.3.0 express-rate-limit@8.7.5 fastify@5.12.8 @fastify/rate-limit@11.2.0 koa@3.3.0 koa-ratelimit@6.0.0
go_program sethvargo github.com/sethvargo/go-limiter v0.7.1 <<'GO'
package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/sethvargo/go-limiter/httplimit"
	"github.com/sethvargo/go-limiter/memorystore"
)

func main() {
	store, _ := memorystore.New(&memorystore.Config{Tokens: 1, Interval: time.Minute})
	limits, _ := httplimit.NewMiddleware(store, httplimit.IPKeyFunc())
	handler := limits.Handle(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	for range 2 {
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, httptest.NewRequest("GET", "/", nil))
		fmt.Printf("%s|%s\n", answer.Header().Get("X-Ratelimit-Reset"), answer.Header().Get("Retry-After"))
	}
}
GO
go_program ulule github.com/ulule/limiter/v3 v3.11.2 <<'GO'
package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/ulule/limiter/v3"
	"github.com/ulule/limiter/v3/drivers/middleware/stdlib"
	"github.com/ulule/limiter/v3/drivers/store/memory"
)

func main() {
	limits := stdlib.NewMiddleware(limiter.New(memory.NewStore(), limiter.Rate{Period: time.Minute, Limit: 1}))
	handler := limits.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	for range 2 {
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, httptest.NewRequest("GET", "/", nil))
		fmt.Printf("%s|%s\n", answer.Header().Get("X-Ratelimit-Reset"), answer.Header().Get("Retry-After"))
	}
}
GO
cat >"$folder/by.mjs" <<'JS'
const [name, port] = process.argv.slice(2);
const ways = {
  express: async () => {
    const { rateLimit } = await import("express-rate-limit");
    const app = (await import("express")).default();
    app.use(rateLimit({ windowMs: 60000, limit: 1, legacyHeaders: true }));
    app.get("/", (_, answer) => answer.send("x"));
    await new Promise((ready) => app.listen(port, "127.0.0.1", ready));
  },
  fastify: async () => {
    const app = (await import("fastify")).default();
    await app.register((await import("@fastify/rate-limit")).default, { max: 1, timeWindow: 60000 });
    app.get("/", async () => "x");
    await app.listen({ port: Number(port), host: "127.0.0.1" });
  },
  koa: async () => {
    const app = new (await import("koa")).default();
    app.use((await import("koa-ratelimit")).default({ driver: "memory", db: new Map(), duration: 60000, max: 1, id: () => "x" }));
    app.use((context) => { context.body = "x"; });
    await new Promise((ready) => app.listen(port, "127.0.0.1", ready));
  },
};
await ways[name]();
for (let call = 0; call < 2; call++) {
  const { headers } = await fetch(`http://127.0.0.1:${port}/`);
  console.log(`${headers.get("x-ratelimit-reset") ?? ""}|${headers.get("retry-after") ?? ""}`);
}
process.exit(0);
JS
# form: of reset and Retry-After of a refused request.
form() {
  tail -1 | python3 -c '
import re
import sys
forms = {r"": "none", r"\d{1,2}": "seconds", r"\d{10}": "a point in time", r"\d{10}\.\d+": "a fraction", r"\w{3}, .* UTC": "a date"}
print(*(next((form for each, form in forms.items() if re.fullmatch(each, value)), value) for value in input().split("|")), sep=", ")'
}
by_node() { (cd "$folder" && node by.mjs "$1" "$(free_port)" 2>/dev/null); }
same "express-rate-limit" "$(by_node express | form)" "a point in time, seconds"
same "@fastify/rate-limit" "$(by_node fastify | form)" "seconds, seconds"
same "koa-ratelimit" "$(by_node koa | form)" "a fraction, seconds"
same "ulule/limiter" "$("$folder/bin/ulule" | form)" "a point in time, none"
same "sethvargo/go-limiter" "$("$folder/bin/sethvargo" | form)" "a date, a date"

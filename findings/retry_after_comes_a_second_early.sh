#!/usr/bin/env bash
# Two calls in ten seconds are allowed and used up; a third is refused after 6.5 seconds. To wait as its Retry-After says and ask
# again is refused once more by koa-ratelimit 6.0.0 (npm), which cuts off the fraction of a second, and by Flask-Limiter 4.1.1
# (PyPI; fixed and moving window) where the window began in the second half of a second. express-rate-limit 8.7.5,
# @fastify/rate-limit 11.2.0, hono-rate-limiter 0.5.4 (npm), slowapi 0.1.10 and djangorestframework 3.18.3 (PyPI) let it
# through. httprate 0.16.1 of go-chi says 10, the whole window, at any time.
# Guess: koa-ratelimit cuts, httprate says 10; the rest let it through.
# Seen: Flask-Limiter is early in half of all cases: who does as told is told to wait for 0 seconds then.
source "$(dirname "$0")/lib/setup.sh"
python_with flask==3.1.3 flask-limiter==4.1.1 slowapi==0.1.10 fastapi==0.165.0 uvicorn==0.54.0 limits==5.8.0 django==5.2.19 djangorestframework==3.18.3
node_with express@5.3.0 express-rate-limit@8.7.5 fastify@5.12.8 @fastify/rate-limit@11.2.0 koa@3.3.0 koa-ratelimit@6.0.0 \
  hono@4.13.19 @hono/node-server@2.1.9 hono-rate-limiter@0.5.4
go_program httprate github.com/go-chi/httprate v0.16.1 <<'GO'
package main

import (
	"net/http"
	"os"
	"time"

	"github.com/go-chi/httprate"
)

func main() {
	limit := httprate.Limit(2, 10*time.Second, httprate.WithKeyFuncs(func(*http.Request) (string, error) { return "x", nil }))
	http.ListenAndServe("127.0.0.1:"+os.Args[1], limit(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
}
GO
cat >"$folder/serve.mjs" <<'JS'
const [name, port] = process.argv.slice(2);
const where = { port: +port, host: "127.0.0.1" };
const ways = {
  async "express-rate-limit"() {
    const app = (await import("express")).default();
    app.use((await import("express-rate-limit")).rateLimit({ windowMs: 10_000, limit: 2 }));
    app.get("/", (_, answer) => answer.send("x"));
    app.listen(where.port, where.host);
  },
  async "@fastify/rate-limit"() {
    const app = (await import("fastify")).default();
    await app.register((await import("@fastify/rate-limit")).default, { max: 2, timeWindow: 10_000 });
    app.get("/", async () => "x");
    await app.listen(where);
  },
  async "koa-ratelimit"() {
    const app = new (await import("koa")).default();
    app.use((await import("koa-ratelimit")).default({ driver: "memory", db: new Map(), duration: 10_000, max: 2, id: () => "x" }));
    app.use((context) => { context.body = "x"; });
    app.listen(where.port, where.host);
  },
  async "hono-rate-limiter"() {
    const app = new (await import("hono")).Hono();
    app.use((await import("hono-rate-limiter")).rateLimiter({ windowMs: 10_000, limit: 2, keyGenerator: () => "x" }));
    app.get("/", (context) => context.text("x"));
    (await import("@hono/node-server")).serve({ fetch: app.fetch, port: where.port, hostname: where.host });
  },
};
await ways[name]();
JS
cat >"$folder/serve.py" <<'PY'
import sys

name, port = sys.argv[1], int(sys.argv[2])


def slowapi():
    import uvicorn
    from fastapi import FastAPI, Request
    from slowapi import Limiter, _rate_limit_exceeded_handler
    from slowapi.errors import RateLimitExceeded
    from starlette.responses import PlainTextResponse

    limiter = Limiter(key_func=lambda: "x", headers_enabled=True)
    app = FastAPI()
    app.state.limiter = limiter
    app.add_exception_handler(RateLimitExceeded, _rate_limit_exceeded_handler)

    @app.get("/")
    @limiter.limit("2/10 seconds")
    async def root(request: Request):
        return PlainTextResponse("x")

    uvicorn.run(app, port=port, log_level="critical")


def flask(strategy):
    from flask import Flask
    from flask_limiter import Limiter

    app = Flask("x")
    Limiter(lambda: "x", app=app, default_limits=["2/10 seconds"], headers_enabled=True, strategy=strategy, storage_uri="memory://")
    app.get("/")(lambda: "x")
    app.run(port=port)


def rest_framework():
    from wsgiref.simple_server import make_server

    import django
    from django.conf import settings

    settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], REST_FRAMEWORK={"UNAUTHENTICATED_USER": None, "DEFAULT_AUTHENTICATION_CLASSES": []})
    django.setup()
    from django.core.wsgi import get_wsgi_application
    from django.urls import path
    from rest_framework.renderers import JSONRenderer
    from rest_framework.response import Response
    from rest_framework.throttling import SimpleRateThrottle
    from rest_framework.views import APIView

    class Throttle(SimpleRateThrottle):
        rate = "2/10"

        def parse_rate(self, rate):
            return 2, 10

        def get_cache_key(self, request, view):
            return "x"

    class View(APIView):
        throttle_classes = [Throttle]
        renderer_classes = [JSONRenderer]

        def get(self, request):
            return Response("x")

    globals()["urlpatterns"] = [path("", View.as_view())]
    make_server("127.0.0.1", port, get_wsgi_application()).serve_forever()


if name.startswith("Flask-Limiter"):
    flask(name.split()[1])
{"slowapi": slowapi, "djangorestframework": rest_framework}[name]()
PY
# The status at 6.5 seconds, its Retry-After, and the status of who comes then.
cat >"$folder/ask.py" <<'PY'
import socket
import sys
import time
import urllib.error
import urllib.request

port = int(sys.argv[1])


def ask():
    try:
        answer = urllib.request.urlopen(f"http://127.0.0.1:{port}/")
    except urllib.error.HTTPError as refused:
        answer = refused
    answer.read()
    return answer.status, int(answer.headers.get("Retry-After", 0))


for _ in range(150):
    time.sleep(0.2)
    try:
        socket.create_connection(("127.0.0.1", port)).close()
        break
    except OSError:
        pass
# The first call is behind the half of a second.
time.sleep((0.7 - time.time()) % 1)
begun = time.monotonic()
assert ask()[0] == ask()[0] == 200
time.sleep(begun + 6.5 - time.monotonic())
status, wait = ask()
time.sleep(wait)
print(status, wait, ask()[0])
PY
names=("Flask-Limiter fixed-window" "Flask-Limiter moving-window" koa-ratelimit express-rate-limit @fastify/rate-limit hono-rate-limiter slowapi djangorestframework httprate)
cd "$folder"
for name in "${names[@]}"; do
  port=$(free_port)
  case $name in
    httprate) bin/httprate "$port" & ;;
    Flask* | slowapi | django*) venv/bin/python -W ignore serve.py "$name" "$port" & ;;
    *) node --no-warnings serve.mjs "$name" "$port" & ;;
  esac >server.log 2>&1
  servers+=($!)
  echo "$(python3 ask.py "$port") $name" >>told &
  asking+=($!)
  sleep 2
done
wait "${asking[@]}"
# told NAME: the status, Retry-After, and the status of who comes then.
told() { grep " $1\$" told | cut -d ' ' -f 1-3; }
for name in "${names[@]:0:3}"; do same "$name" "$(told "$name")" "429 3 429"; done
for name in "${names[@]:3:5}"; do same "$name" "$(told "$name")" "429 4 200"; done
same httprate "$(told httprate)" "429 10 200"

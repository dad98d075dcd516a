#!/usr/bin/env bash
# Three attempts, which all fail, are two retries. The hook that is named for a retry is called three times by avast/retry-go
# 4.7.0 (OnRetry, also after the last attempt), resty 2.16.5 (AddRetryHook), exponential-backoff 3.1.3 (`retry`) and p-retry
# 7.1.0 (onFailedAttempt, as its name says); twice by cenkalti/backoff 5.0.3 (WithNotify), tenacity 9.1.2 (before_sleep), backoff 2.2.1
# (on_backoff), stamina 25.1.0, async-retry 1.3.3, axios-retry 4.5.0 and cockatiel 3.2.1 (onRetry).
# Guess: twice but for p-retry.
# Seen: who counts retries there, or says "trying again", is one too high where nothing is tried again.
source "$(dirname "$0")/lib/setup.sh"
node_with p-retry@7.1.0 async-retry@1.3.3 axios@1.13.2 axios-retry@4.5.0 exponential-backoff@3.1.3 cockatiel@3.2.1
python_with tenacity==9.1.2 backoff==2.2.1 stamina==25.1.0
mkdir "$folder/hooks"
cat >"$folder/hooks/go.mod" <<'MOD'
module example.test/hooks

go 1.24

require (
	github.com/avast/retry-go/v4 v4.7.0
	github.com/cenkalti/backoff/v5 v5.0.3
	github.com/go-resty/resty/v2 v2.16.5
)
MOD
cat >"$folder/hooks/main.go" <<'GO'
package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	avast "github.com/avast/retry-go/v4"
	cenkalti "github.com/cenkalti/backoff/v5"
	"github.com/go-resty/resty/v2"
)

func main() {
	calls, hooks := 0, 0
	say := func(name string) {
		fmt.Println(name, calls, hooks)
		calls, hooks = 0, 0
	}
	always := errors.New("always")
	avast.Do(func() error { calls++; return always }, avast.Attempts(3), avast.Delay(time.Millisecond),
		avast.OnRetry(func(uint, error) { hooks++ }))
	say("avast")
	cenkalti.Retry(context.Background(), func() (int, error) { calls++; return 0, always }, cenkalti.WithMaxTries(3),
		cenkalti.WithBackOff(cenkalti.NewConstantBackOff(time.Millisecond)),
		cenkalti.WithNotify(func(error, time.Duration) { hooks++ }))
	say("cenkalti")
	busy := httptest.NewServer(http.HandlerFunc(func(answer http.ResponseWriter, _ *http.Request) {
		calls++
		answer.WriteHeader(http.StatusServiceUnavailable)
	}))
	defer busy.Close()
	client := resty.New().SetRetryCount(2).SetRetryWaitTime(time.Millisecond).SetRetryMaxWaitTime(time.Millisecond)
	client.AddRetryCondition(func(answer *resty.Response, _ error) bool { return answer.StatusCode() == 503 })
	client.AddRetryHook(func(*resty.Response, error) { hooks++ })
	client.R().Get(busy.URL)
	say("resty")
}
GO
(cd "$folder/hooks" && GOFLAGS=-mod=mod go build -o "$folder/bin/hooks" . 2>/dev/null)
cat >"$folder/hooks.py" <<'PY'
import backoff
import stamina
import tenacity

calls = hooks = 0


def fails():
    global calls
    calls += 1
    raise ValueError


def hook(*_):
    global hooks
    hooks += 1


def say(name, run):
    global calls, hooks
    calls = hooks = 0
    try:
        run()
    except (ValueError, tenacity.RetryError):
        print(name, calls, hooks)


stamina.instrumentation.set_on_retry_hooks([hook])
say("tenacity", tenacity.retry(stop=tenacity.stop_after_attempt(3), before_sleep=hook)(fails))
say("backoff", backoff.on_exception(backoff.constant, ValueError, interval=0.001, max_tries=3, on_backoff=hook)(fails))
say("stamina", stamina.retry(on=ValueError, attempts=3, wait_initial=0.001, wait_max=0.001)(fails))
PY
cat >"$folder/hooks.mjs" <<'JS'
import asyncRetry from "async-retry";
import axios from "axios";
import axiosRetry from "axios-retry";
import * as cockatiel from "cockatiel";
import { backOff } from "exponential-backoff";
import http from "node:http";
import { once } from "node:events";
import pRetry from "p-retry";

let calls = 0;
let hooks = 0;
const fails = async () => {
  calls++;
  throw new Error("always");
};
const hook = () => ++hooks;
const say = async (name, run) => {
  calls = hooks = 0;
  await run().catch(() => console.log(name, calls, hooks));
};
const busy = http.createServer((_, answer) => {
  calls++;
  answer.writeHead(503).end();
});
await once(busy.listen(0, "127.0.0.1"), "listening");
await say("p-retry", () => pRetry(fails, { retries: 2, minTimeout: 1, onFailedAttempt: hook }));
await say("async-retry", () => asyncRetry(fails, { retries: 2, minTimeout: 1, onRetry: hook }));
await say("exponential-backoff", () => backOff(fails, { numOfAttempts: 3, startingDelay: 1, retry: hook }));
const client = axios.create();
axiosRetry(client, { retries: 2, retryDelay: () => 1, onRetry: hook });
await say("axios-retry", () => client.get(`http://127.0.0.1:${busy.address().port}/`));
const policy = cockatiel.retry(cockatiel.handleAll, { maxAttempts: 2, backoff: new cockatiel.ConstantBackoff(1) });
policy.onRetry(hook);
await say("cockatiel", () => policy.execute(fails));
busy.close();
JS
seen=$("$folder/bin/hooks"; python "$folder/hooks.py"; cd "$folder" && node hooks.mjs)
for each in avast:3 resty:3 exponential-backoff:3 p-retry:3 cenkalti:2 tenacity:2 backoff:2 stamina:2 async-retry:2 axios-retry:2 cockatiel:2; do
  same "${each%:*}, attempts and hooks" "$(awk -v name="${each%:*}" '$1 == name { print $2, $3 }' <<<"$seen")" "3 ${each#*:}"
done

#!/usr/bin/env bash
# A circuit breaker after its pause, with ten callers and a registry that is still down: aiobreaker 1.2.0, circuitbreaker 2.1.3
# and purgatory 3.0.1 (PyPI) and Go's eapache/go-resiliency 1.7.0 let all ten through. pybreaker 1.4.1, opossum 9.0.0 and
# cockatiel 3.2.1 (npm) and sony/gobreaker 2.4.0 let one try.
# Guess: one by aiobreaker, which is made of pybreaker; go-resiliency not asked; the others so.
# Seen: a registry that comes back gets every waiting worker at once, from what was to spare it.
source "$(dirname "$0")/lib/setup.sh"
python_with aiobreaker==1.2.0 circuitbreaker==2.1.3 purgatory==3.0.1 pybreaker==1.4.1
node_with opossum@9.0.0 cockatiel@3.2.1
# Each: three failures, a pause of one second, then ten callers at once; how many ask the registry.
asked_by_python() {
  python - "$1" <<'PY'
import asyncio
import datetime
import sys

name = sys.argv[1]
asked = 0


class Down(Exception):
    pass


async def ask():
    global asked
    asked += 1
    await asyncio.sleep(0.3)
    raise Down


def breaker():
    if name == "aiobreaker":
        import aiobreaker

        one = aiobreaker.CircuitBreaker(fail_max=3, timeout_duration=datetime.timedelta(seconds=1))
        return lambda: one.call_async(ask)
    if name == "circuitbreaker":
        import circuitbreaker

        return circuitbreaker.circuit(failure_threshold=3, recovery_timeout=1)(ask)
    import purgatory

    factory = purgatory.AsyncCircuitBreakerFactory(default_threshold=3, default_ttl=1)

    async def call():
        async with await factory.get_breaker("registry"):
            await ask()

    return call


async def main():
    global asked
    call = breaker()
    for _ in range(5):
        await asyncio.gather(call(), return_exceptions=True)
    assert asked == 3
    await asyncio.sleep(1.3)
    asked = 0
    await asyncio.gather(*(call() for _ in range(10)), return_exceptions=True)
    print(asked)


asyncio.run(main())
PY
}
# pybreaker is for threads.
asked_by_pybreaker() {
  python - <<'PY'
import time
from concurrent.futures import ThreadPoolExecutor

import pybreaker

asked = 0


def ask():
    global asked
    asked += 1
    time.sleep(0.3)
    raise OSError


breaker = pybreaker.CircuitBreaker(fail_max=3, reset_timeout=1)


def call(_=None):
    try:
        breaker.call(ask)
    except (OSError, pybreaker.CircuitBreakerError):
        pass


for _ in range(5):
    call()
time.sleep(1.3)
asked = 0
with ThreadPoolExecutor(10) as threads:
    list(threads.map(call, range(10)))
print(asked)
PY
}
asked_by_node() {
  (cd "$folder" && node -e '
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
let asked = 0;
const ask = async () => {
  asked++;
  await pause(300);
  throw new Error("down");
};
let call;
if (process.argv[1] === "opossum") {
  const breaker = new (require("opossum"))(ask, { resetTimeout: 1000 });
  call = () => breaker.fire();
} else {
  const { circuitBreaker, ConsecutiveBreaker, handleAll } = require("cockatiel");
  const breaker = circuitBreaker(handleAll, { halfOpenAfter: 1000, breaker: new ConsecutiveBreaker(3) });
  call = () => breaker.execute(ask);
}
(async () => {
  for (let i = 0; i < 5; i++) await call().catch(() => {});
  await pause(1300);
  asked = 0;
  await Promise.allSettled(Array.from({ length: 10 }, () => call()));
  console.log(asked);
  process.exit();
})();' "$1")
}
cat >"$folder/ask" <<'GO'
package main

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	IMPORT
)

func main() {
	var asked atomic.Int64
	ask := func() error {
		asked.Add(1)
		time.Sleep(300 * time.Millisecond)
		return errors.New("down")
	}
	call := CALL
	for i := 0; i < 5; i++ {
		call()
	}
	time.Sleep(1300 * time.Millisecond)
	asked.Store(0)
	var callers sync.WaitGroup
	for i := 0; i < 10; i++ {
		callers.Add(1)
		go func() { defer callers.Done(); call() }()
	}
	callers.Wait()
	fmt.Println(asked.Load())
}
GO
sed -e 's,IMPORT,"github.com/eapache/go-resiliency/breaker",' -e 's,CALL,func() func() { one := breaker.New(3\, 1\, time.Second); return func() { one.Run(ask) } }(),' "$folder/ask" | go_program resiliency github.com/eapache/go-resiliency v1.7.0
sed -e 's,IMPORT,"github.com/sony/gobreaker/v2",' -e 's,CALL,func() func() { one := gobreaker.NewCircuitBreaker[int](gobreaker.Settings{Timeout: time.Second\, ReadyToTrip: func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= 3 }}); return func() { one.Execute(func() (int\, error) { return 0\, ask() }) } }(),' "$folder/ask" | go_program gobreaker github.com/sony/gobreaker/v2 v2.4.0
for name in aiobreaker circuitbreaker purgatory; do same "$name" "$(asked_by_python $name)" 10; done
same pybreaker "$(asked_by_pybreaker)" 1
for name in opossum cockatiel; do same "$name" "$(asked_by_node $name)" 1; done
same go-resiliency "$("$folder/bin/resiliency")" 10
same gobreaker "$("$folder/bin/gobreaker")" 1

#!/usr/bin/env bash
# k8s.io/apimachinery 0.35.0: `wait.Backoff{Duration: 10ms, Factor: 2, Steps: 6, Cap: 40ms}` is tried three times, not six, by
# ExponentialBackoff and ExponentialBackoffWithContext: the step that would pass the cap is the last. `Cap` in avast/retry-go
# 4.7.0 (MaxDelay), sethvargo/go-retry 0.3.0 (WithCappedDuration) and cenkalti/backoff 5.0.3 (MaxInterval) limits the delay.
# Guess: six, with 40 ms between the last ones; others know that it ends.
# Seen: to set a cap below what the steps come to takes steps away.
source "$(dirname "$0")/lib/setup.sh"
mkdir "$folder/capped"
cd "$folder/capped"
cat >go.mod <<'MOD'
module example.test/capped

go 1.24

require (
	github.com/avast/retry-go/v4 v4.7.0
	github.com/cenkalti/backoff/v5 v5.0.3
	github.com/sethvargo/go-retry v0.3.0
	k8s.io/apimachinery v0.35.0
)
MOD
cat >main.go <<'GO'
package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	avast "github.com/avast/retry-go/v4"
	cenkalti "github.com/cenkalti/backoff/v5"
	sethvargo "github.com/sethvargo/go-retry"
	"k8s.io/apimachinery/pkg/util/wait"
)

const first, most = 10 * time.Millisecond, 40 * time.Millisecond

func main() {
	always := errors.New("always")
	here := context.Background()
	calls := 0
	count := func(name string) {
		fmt.Println(name, calls)
		calls = 0
	}
	for _, limit := range []time.Duration{most, 0} {
		backoff := wait.Backoff{Duration: first, Factor: 2, Steps: 6, Cap: limit}
		wait.ExponentialBackoff(backoff, func() (bool, error) { calls++; return false, nil })
		count(fmt.Sprint("ExponentialBackoff ", limit))
		wait.ExponentialBackoffWithContext(here, backoff, func(context.Context) (bool, error) { calls++; return false, nil })
		count(fmt.Sprint("ExponentialBackoffWithContext ", limit))
	}
	avast.Do(func() error { calls++; return always }, avast.Attempts(6), avast.Delay(first), avast.MaxDelay(most))
	count("avast")
	capped := sethvargo.WithCappedDuration(most, sethvargo.WithMaxRetries(5, sethvargo.NewExponential(first)))
	sethvargo.Do(here, capped, func(context.Context) error { calls++; return sethvargo.RetryableError(always) })
	count("sethvargo")
	exponential := &cenkalti.ExponentialBackOff{InitialInterval: first, Multiplier: 2, MaxInterval: most}
	cenkalti.Retry(here, func() (int, error) { calls++; return 0, always }, cenkalti.WithBackOff(exponential), cenkalti.WithMaxTries(6))
	count("cenkalti")
}
GO
GOFLAGS=-mod=mod go build -o "$folder/bin/capped" . 2>/dev/null
seen=$("$folder/bin/capped")
for each in "ExponentialBackoff 40ms:3" "ExponentialBackoffWithContext 40ms:3" "ExponentialBackoff 0s:6" "ExponentialBackoffWithContext 0s:6" avast:6 sethvargo:6 cenkalti:6; do
  same "${each%:*}, tries of 6" "$(awk -v name="${each%:*}" 'index($0, name " ") == 1 { print $NF }' <<<"$seen")" "${each#*:}"
done

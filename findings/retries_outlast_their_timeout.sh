#!/usr/bin/env bash
# Told to end after 2 seconds, with 4 seconds between two tries: stamina 26.1.0 (`timeout`) and tenacity 9.2.1
# (`stop_after_delay`) sleep the 4 and try again; backoff 2.2.1 (`max_time`) sleeps 2; tenacity's `stop_before_delay` and
# backoff/v5 5.0.3 of Go (`WithMaxElapsedTime`) end at once (all but the last of PyPI).
# Guess: so, but stamina does not sleep beyond its timeout.
# Seen: what has to be done within a job's timeout is over it by one whole pause.
source "$(dirname "$0")/lib/setup.sh"
python_with stamina==26.1.0 tenacity==9.2.1 backoff==2.2.1
go_program backoff github.com/cenkalti/backoff/v5 v5.0.3 <<'GO'
package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/cenkalti/backoff/v5"
)

func main() {
	tries, began := 0, time.Now()
	backoff.Retry(context.Background(), func() (bool, error) {
		tries++
		return false, errors.New("no")
	}, backoff.WithBackOff(backoff.NewConstantBackOff(4*time.Second)), backoff.WithMaxElapsedTime(2*time.Second))
	fmt.Println(tries, math.Floor(time.Since(began).Seconds()))
}
GO
# by NAME: the tries, and the whole seconds that they take.
by() {
  [[ $1 != go ]] || { "$folder/bin/backoff"; return; }
  python -W ignore -c '
import logging
import sys
import time
logging.disable(logging.CRITICAL)
tries = []
def fail():
    tries.append(1)
    raise ValueError
began = time.monotonic()
try:
    if sys.argv[1] == "stamina":
        import stamina
        stamina.retry(on=ValueError, timeout=2, wait_initial=4, wait_max=4, wait_jitter=0)(fail)()
    elif sys.argv[1] == "backoff":
        import backoff
        backoff.on_exception(backoff.constant, ValueError, interval=4, jitter=None, max_time=2)(fail)()
    else:
        import tenacity
        tenacity.Retrying(stop=getattr(tenacity, sys.argv[1])(2), wait=tenacity.wait_fixed(4))(fail)
except Exception:
    print(len(tries), int(time.monotonic() - began))' "$1" 2>/dev/null
}
same "stamina, timeout" "$(by stamina)" "2 4"
same "tenacity, stop_after_delay" "$(by stop_after_delay)" "2 4"
same "tenacity, stop_before_delay" "$(by stop_before_delay)" "1 0"
same "backoff, max_time" "$(by backoff)" "2 2"
same "backoff/v5, WithMaxElapsedTime" "$(by go)" "1 0"

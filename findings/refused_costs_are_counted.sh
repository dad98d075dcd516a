#!/usr/bin/env bash
# Eight of ten calls are used, and five at once are asked for: refused by all. In a fixed window, limits 5.8.0 and throttled-py
# 3.5.0 (PyPI) count the five nevertheless: the two that were left are refused, too, until the window ends.
# Guess: what is refused costs nothing.
# Seen: so in moving and sliding windows, token and leaking buckets and GCRA of both; not in the fixed ones.
source "$(dirname "$0")/lib/setup.sh"
python_with limits==5.8.0 throttled-py==3.5.0
# left NAME WINDOW: of ten calls an hour, after eight and a refused five, how many of three are let through.
left() {
  python -W ignore -c '
import sys
name, window = sys.argv[1:]
if name == "limits":
    from limits import parse, storage, strategies
    limiter = getattr(strategies, window)(storage.MemoryStorage())
    take = lambda cost=1: limiter.hit(parse("10/hour"), "x", cost=cost)
else:
    import throttled
    limiter = throttled.Throttled(key="x", using=window, quota="10/h")
    take = lambda cost=1: not limiter.limit(cost=cost).limited
assert all(take() for _ in range(8)) and not take(5)
print(sum(take() for _ in range(3)))' "$1" "$2"
}
same "limits, fixed window" "$(left limits FixedWindowRateLimiter)" 0
for window in MovingWindow SlidingWindowCounter; do same "limits, $window" "$(left limits ${window}RateLimiter)" 2; done
same "throttled-py, fixed window" "$(left throttled-py fixed_window)" 0
for window in sliding_window token_bucket leaking_bucket gcra; do same "throttled-py, $window" "$(left throttled-py $window)" 2; done

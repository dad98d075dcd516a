#!/usr/bin/env bash
# `10/week`, by libraries of rates: to django-ratelimit 4.1.0 it is ten a second, and so are `10/M`, `10/MINUTE`; `10/2 minutes`
# is ten in two seconds. `10/month` is ten a minute to it and to djangorestframework 3.18.3. limits 5.8.0 knows no week, nor
# `10/m`; throttled-py 3.5.0 knows both, but no month.
# Guess: a week or an error; `10/month` is ten a minute to django-ratelimit alone.
# Seen: a unit that is not known is a second to django-ratelimit, without an error. By the week that is 604,800 times too much.
source "$(dirname "$0")/lib/setup.sh"
python_with django-ratelimit==4.1.0 djangorestframework==3.18.3 limits==5.8.0 throttled-py==3.5.0
# rate NAME TEXT: the calls and the seconds.
rate() {
  python -W ignore -c '
import sys
name, text = sys.argv[1:]
try:
    if name == "limits":
        from limits import parse
        found = parse(text)
        print(found.amount, found.get_expiry())
    elif name == "throttled-py":
        from throttled.rate_limiter.quota_parser import parse
        print(parse(text)[0].get_limit(), parse(text)[0].get_period_sec())
    else:
        from django.conf import settings
        settings.configure(CACHES={"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}})
        if name == "django-ratelimit":
            from django_ratelimit.core import _split_rate
            print(*_split_rate(text))
        else:
            from rest_framework.throttling import SimpleRateThrottle
            print(*type("Throttle", (SimpleRateThrottle,), {"rate": "1/s"})().parse_rate(text))
except Exception:
    print("error")' "$1" "$2"
}
for name in django-ratelimit djangorestframework throttled-py; do same "$name, 10/m" "$(rate $name 10/m)" "10 60"; done
same "limits, 10/m" "$(rate limits 10/m)" error
for text in 10/week 10/M 10/MINUTE; do same "django-ratelimit, $text" "$(rate django-ratelimit $text)" "10 1"; done
same "django-ratelimit, 10/2 minutes" "$(rate django-ratelimit '10/2 minutes')" "10 2"
same "limits, 10/2 minutes" "$(rate limits '10/2 minutes')" "10 120"
for name in djangorestframework limits; do same "$name, 10/week" "$(rate $name 10/week)" error; done
same "throttled-py, 10/week" "$(rate throttled-py 10/week)" "10 604800"
for name in django-ratelimit djangorestframework; do same "$name, 10/month" "$(rate $name 10/month)" "10 60"; done
same "limits, 10/month" "$(rate limits 10/month)" "10 2592000"
same "throttled-py, 10/month" "$(rate throttled-py 10/month)" error

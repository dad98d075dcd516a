#!/usr/bin/env bash
# msgspec 0.22.0: of a time with nanoseconds, as registries and builders in Go write it, it rounds to microseconds, up to
# the next second, day or year. Python, python-dateutil 2.9.0, pendulum 3.3.0 and pydantic 2.14.4 cut.
# Guess: all cut.
# Seen: 2024-12-31T23:59:59.999999999Z is in 2025. Two programs that compare "created" disagree on half of all images.
source "$(dirname "$0")/lib/setup.sh"
python_with msgspec==0.22.0 python-dateutil==2.9.0.post0 pendulum==3.3.0 pydantic==2.14.4
cat >"$folder/by.py" <<'PY'
import sys
from datetime import datetime

text = sys.argv[2]
if sys.argv[1] == "msgspec":
    import msgspec

    found = msgspec.json.decode(f'"{text}"', type=datetime)
elif sys.argv[1] == "dateutil":
    from dateutil.parser import isoparse

    found = isoparse(text)
elif sys.argv[1] == "pendulum":
    import pendulum

    found = pendulum.parse(text)
elif sys.argv[1] == "pydantic":
    from pydantic import TypeAdapter

    found = TypeAdapter(datetime).validate_json(f'"{text}"')
else:
    found = datetime.fromisoformat(text)
print(found.strftime("%Y %f"))
PY
for name in python dateutil pendulum pydantic; do
  same "$name" "$(python "$folder/by.py" $name 2024-12-31T23:59:59.999999999Z)" "2024 999999"
done
same "msgspec" "$(python "$folder/by.py" msgspec 2024-12-31T23:59:59.999999999Z)" "2025 000000"
same "msgspec, half a microsecond" "$(python "$folder/by.py" msgspec 2024-12-31T23:59:59.1234565Z)" "2024 123457"

#!/usr/bin/env bash
# ratelimit-headers 0.1.0 (PyPI) and ratelimit-header-parser 0.1.0 (npm): of a `RateLimit` header as the draft has it since
# its eighth version, `"default";r=50;t=30`, they read nothing, though both say that they read the IETF's.
# Guess: 50 remaining, reset in 30 seconds.
# Seen: nothing but the source "ietf"; NaN and an invalid date, which are neither above 0 nor equal to it.
source "$(dirname "$0")/lib/setup.sh"
python_with ratelimit-headers==0.1.0
node_with ratelimit-header-parser@0.1.0
of_python() {
  python -c '
import json, sys
from ratelimit_headers import parse
found = parse(json.loads(sys.argv[1]))
print(found.source, found.remaining, found.retry_after)' "$1"
}
of_node() { (cd "$folder" && node --input-type=module -e 'import { parseRateLimit } from "ratelimit-header-parser"; const found = parseRateLimit(JSON.parse(process.argv[1])); console.log(found.remaining, isNaN(found.reset))' "$1"); }
now='{"ratelimit": "\"default\";r=50;t=30", "ratelimit-policy": "\"default\";q=100;w=60"}'
before='{"ratelimit-limit": "100", "ratelimit-remaining": "50", "ratelimit-reset": "30"}'
same "Python, three headers" "$(of_python "$before")" "ietf 50 30"
same "Python, one header" "$(of_python "$now")" "ietf None None"
same "Node.js, three headers" "$(of_node "$before")" "50 false"
same "Node.js, one header" "$(of_node "$now")" "NaN true"

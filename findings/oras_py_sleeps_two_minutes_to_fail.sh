#!/usr/bin/env bash
# oras-py 0.2.43: `OrasClient` at a registry that asks for a password (Basic, as behind a proxy) takes the realm for the
# address of a token server, fails, and tries that again five times, with 131 seconds of sleep in between.
# Guess: an error at once, with the status 401; it is the client that must be told `auth_backend="basic"`.
# Seen: over two minutes, then "Invalid URL". A job that lists tags is ended by its own limit, without the reason.
source "$(dirname "$0")/lib/setup.sh"
python_with oras==0.2.43
answers basic
seen=$(HOME=$folder python -c '
import sys, time
slept = []
time.sleep = slept.append
from oras.client import OrasClient
try:
    OrasClient(insecure=True).get_tags(sys.argv[1])
except Exception as error:
    print(type(error).__name__, sum(slept))' "$host/web" 2>/dev/null)
same "error, and seconds of sleep" "$seen" "MissingSchema 131"
same "requests without credentials" "$(grep -c nobody "$folder/answers.log")" 6

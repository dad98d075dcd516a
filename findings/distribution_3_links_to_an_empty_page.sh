#!/usr/bin/env bash
# distribution 3.1.2: `tags/list?n=5` of exactly five tags has a Link to a next page, which is empty; so has
# a list that was shorter than n when tags of it had been asked for up to its last.
# Guess: no Link on a page that ends the list, as `_catalog` of the same server does it.
# Seen: a Link and then `"tags":[]`; `_catalog?n=1` of one repository has none. Who takes an empty page for
# "no such tags", or counts pages by Links, is one off.
source "$(dirname "$0")/lib/setup.sh"
distribution_3
for tag in a1 a2 a3 a4 a5; do push web "$tag" >/dev/null; done
link() { curl -si "http://$host/v2/$1" | tr -d '\r' | sed -n 's/^[Ll]ink: <\(.*\)>.*/\1/p'; }
same "Link at n=5" "$(link 'web/tags/list?n=5')" "/v2/web/tags/list?last=a5&n=5"
same "that page" "$(curl -s "http://$host/v2/web/tags/list?last=a5&n=5")" '{"name":"web","tags":[]}'
same "Link at n=6" "$(link 'web/tags/list?n=6')" ""
same "Link of _catalog?n=1" "$(link '_catalog?n=1')" ""

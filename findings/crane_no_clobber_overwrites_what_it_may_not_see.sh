#!/usr/bin/env bash
# crane 0.22.1: `copy --no-clobber`, "avoid overwriting existing tags in the target repository", overwrites a tag where the look at
# it is answered by 403, as for one who may push and not pull, and exits with 0. So does `--all-tags --no-clobber` where the list of
# tags is a 403. Of 401, 429 and 500 it fails, and the tag stays.
# Guess: an error for each but 404.
# Seen: what may not be seen is not there. The option keeps nothing for the robot that may only push.
source "$(dirname "$0")/lib/setup.sh"
source "$here/front.sh"
source "$here/crane_serve.sh"
front "$host"
push web v1 new >/dev/null
digest_of() { "$folder/bin/crane" digest --insecure "$host/$1:v1"; }
# copied REPOSITORY OPTION...: the exit code, and whether the tag is as before.
copied() {
  local before code=0
  push target v1 old >/dev/null
  before=$(digest_of target)
  "$folder/bin/crane" copy --insecure --no-clobber "${@:2}" "$host/$1" "$front/${1/web/target}" >/dev/null 2>&1 || code=$?
  echo "$code, $([[ $(digest_of target) == "$before" ]] && echo kept || echo overwritten)"
}
same "not refused" "$(copied web:v1)" "1, kept"
same "not refused, all tags" "$(copied web --all-tags)" "0, kept"
for status in 401 429 500; do
  refused $status HEAD/v2/target/manifests/
  same "$status of HEAD" "$(copied web:v1)" "1, kept"
  refused $status GET/v2/target/tags/list
  same "$status of the list" "$(copied web --all-tags)" "1, kept"
done
refused 403 HEAD/v2/target/manifests/
same "403 of HEAD" "$(copied web:v1)" "0, overwritten"
refused 403 GET/v2/target/tags/list
same "403 of the list" "$(copied web --all-tags)" "0, overwritten"

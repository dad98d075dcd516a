#!/usr/bin/env bash
# ecr-cleaner 0.1.11 (PyPI), `REPOSITORY:v=2,untagged=5`: of three untagged images, or of five, it deletes all; of six the
# oldest. Where `untagged` is not in the policy, all. An image with two tags of the prefix counts as two of those to keep,
# and one is deleted by its digest though another of its tags is not of the prefix.
# Guess: none of three, and of each image counted once; what is not in the policy is left alone.
# Seen: a repository that has no more than what is to be kept loses every image without a tag.
source "$(dirname "$0")/lib/setup.sh"
python_with 'ecr-cleaner[cli]==0.1.11'
port=$(free_port)
# The two calls of ECR that it makes: the list is in a file, what is deleted is printed.
server - "$port" "$folder/images.json" >"$folder/deleted" <<'PY' &
import json
import sys

from answering import Answering, serve


class Handler(Answering):
    def post(self):
        asked = json.loads(self.body())
        if self.headers["X-Amz-Target"].endswith("DescribeImages"):
            with open(sys.argv[2]) as file:
                return self.answer(200, {"imageDetails": json.load(file)})
        for image in asked["imageIds"]:
            print(image["imageDigest"].removeprefix("sha256:"), flush=True)
        return self.answer(200, {"imageIds": asked["imageIds"], "failures": []})


serve(Handler)
PY
servers+=($!)
wait_for "$port"
# cleaned POLICY IMAGE...: what is deleted of these, the newest first, each NAME or NAME=TAG,TAG.
cleaned() {
  python3 - "$folder/images.json" "${@:2}" <<'PY'
import json
import sys

path, *images = sys.argv[1:]
details = []
for age, one in enumerate(images):
    name, _, tags = one.partition("=")
    details.append({"imageDigest": f"sha256:{name}", "imagePushedAt": 1_700_000_000 - 3600 * age})
    if tags:
        details[-1]["imageTags"] = tags.split(",")
with open(path, "w") as file:
    json.dump(details, file)
PY
  local before
  before=$(wc -l <"$folder/deleted")
  AWS_ENDPOINT_URL=http://127.0.0.1:$port AWS_ACCESS_KEY_ID=none AWS_SECRET_ACCESS_KEY=none \
    "$folder/venv/bin/ecr-cleaner" --region eu-west-1 --repositories "web:$1" >/dev/null 2>&1
  tail -n +$((before + 1)) "$folder/deleted" | sort | xargs
}
same "keep 5 of 6 untagged" "$(cleaned untagged=5 a b c d e f)" f
same "keep 5 of 5" "$(cleaned untagged=5 a b c d e)" "a b c d e"
same "keep 5 of 3" "$(cleaned untagged=5 a b c)" "a b c"
same "not in the policy" "$(cleaned v=2 a b=v2 c=v1)" a
same "keep 2 of v" "$(cleaned v=2,untagged=9 a=v4 b=v3 c=v2 d=v1)" "c d"
same "the newest with two tags" "$(cleaned v=2,untagged=9 a=v4,v4.0 b=v3 c=v2 d=v1)" "b c d"
same "the oldest is stable, too" "$(cleaned v=2,untagged=9 a=v4 b=v3 c=v2,stable)" c

#!/usr/bin/env bash
# aws-ecr-cleanup 0.1.5 (PyPI): the example of its README, "Flush untagged images older than 7 days, leave no less than 7
# images" (`significant_tags: '*'`), deletes every image without a tag, pushed a minute ago as well. So does each policy in a
# repository where no image has one of the significant tags.
# Guess, from its README: the seven newest stay, and all of the last seven days.
# Seen: neither number has any effect; with a significant tag both are kept to.
source "$(dirname "$0")/lib/setup.sh"
python_with aws-ecr-cleanup==0.1.5 python-dateutil==2.9.0.post0
port=$(free_port)
# The calls of ECR and ECS that it makes: the list is in a file, what is deleted is printed.
server - "$port" "$folder/images.json" >"$folder/deleted" <<'PY' &
import json
import sys

from answering import Answering, serve

REPOSITORY = {"registryId": "123456789012", "repositoryName": "web"}


class Handler(Answering):
    def post(self):
        asked = json.loads(self.body())
        match self.headers["X-Amz-Target"].rpartition(".")[2]:
            case "DescribeImages":
                with open(sys.argv[2]) as file:
                    self.answer(200, {"imageDetails": json.load(file)})
            case "DescribeRepositories":
                self.answer(200, {"repositories": [REPOSITORY]})
            case "ListClusters":
                self.answer(200, {"clusterArns": []})
            case "BatchDeleteImage":
                for image in asked["imageIds"]:
                    print(image["imageDigest"].removeprefix("sha256:"), flush=True)
                self.answer(200, {"imageIds": asked["imageIds"], "failures": []})


serve(Handler)
PY
servers+=($!)
wait_for "$port"
# deleted SIGNIFICANT IMAGE...: of these, each NAME or NAME=TAG, a minute old or as many days as its name ends in.
deleted() {
  python3 - "$folder/images.json" "${@:2}" <<'PY'
import json
import re
import sys
import time

path, *images = sys.argv[1:]
details = []
for one in images:
    name, _, tag = one.partition("=")
    days = int(re.sub(r"\D", "", name) or 0)
    details.append({"imageDigest": f"sha256:{name}", "imagePushedAt": time.time() - 60 - 86400 * days})
    if tag:
        details[-1]["imageTags"] = [tag]
with open(path, "w") as file:
    json.dump(details, file)
PY
  echo "[{name: here, protected_period: 7, protected_count: 7, significant_tags: $1}]" >"$folder/policy.yaml"
  local before
  before=$(wc -l <"$folder/deleted")
  (cd "$folder" && AWS_ENDPOINT_URL=http://127.0.0.1:$port AWS_DEFAULT_REGION=eu-west-1 AWS_ACCESS_KEY_ID=none AWS_SECRET_ACCESS_KEY=none \
    "$folder/venv/bin/python" -m aws_ecr_cleanup.main --config "$folder/policy.yaml" --apply >/dev/null 2>&1)
  tail -n +$((before + 1)) "$folder/deleted" | sort | xargs
}
same "as the README, three of now" "$(deleted "'*'" a b c)" "a b c"
same "as the README, with tagged ones" "$(deleted "'*'" a=v2 b c=v1 d)" "b d"
same "prod, which no image has" "$(deleted "[prod]" a=v2 b c=v1 d)" "b d"
same "prod, which one has" "$(deleted "[prod]" a=prod b c d)" ""

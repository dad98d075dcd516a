#!/usr/bin/env bash
# A patch that removes an annotation has null for it. Since version 37 the models of kubernetes (PyPI) are pydantic's: in 37.0.2
# `V1ObjectMeta(annotations={"a": None})` is an error, and so is a cpu of `1`, a number; in 36.0.3 both are sent as they are, as
# by kubernetes_asyncio 36.1.0 and lightkube 1.0.1. A dict instead of the model is still sent as it is.
# Guess: all of them keep the null.
# Seen: who has let kubernetes go up to 37 removes no annotation and no label through its models.
source "$(dirname "$0")/lib/setup.sh"
python_with kubernetes==37.0.2 kubernetes_asyncio==36.1.0 lightkube==1.0.1
"$folder/venv/bin/pip" install -q --disable-pip-version-check --no-deps --target "$folder/before" kubernetes==36.0.3
cat >"$folder/by.py" <<'PY'
import asyncio
import json
import sys

name, what, folder = sys.argv[1:]
if name == "36":
    sys.path.insert(0, f"{folder}/before")


async def main():
    if name == "lightkube":
        from lightkube.models.core_v1 import ResourceRequirements
        from lightkube.models.meta_v1 import ObjectMeta

        if what == "null":
            return ObjectMeta(annotations={"a": None}).to_dict()
        return ResourceRequirements(limits={"cpu": 1}).to_dict()
    if name == "kubernetes_asyncio":
        from kubernetes_asyncio import client
    else:
        from kubernetes import client
    if what == "null":
        model = client.V1ObjectMeta(annotations={"a": None})
    elif what == "dict":
        model = {"annotations": {"a": None}}
    else:
        model = client.V1ResourceRequirements(limits={"cpu": 1})
    api = client.ApiClient()
    found = api.sanitize_for_serialization(model)
    if name == "kubernetes_asyncio":
        await api.close()
    return found


try:
    print(json.dumps(asyncio.run(main())))
except ValueError:
    print("error")
PY
by() { python -W ignore "$folder/by.py" "$1" "$2" "$folder" 2>/dev/null; }
same "kubernetes 37, null" "$(by 37 null)" error
same "kubernetes 37, a number" "$(by 37 number)" error
same "kubernetes 37, null in a dict" "$(by 37 dict)" '{"annotations": {"a": null}}'
for name in 36 kubernetes_asyncio lightkube; do
  same "$name, null" "$(by $name null)" '{"annotations": {"a": null}}'
  same "$name, a number" "$(by $name number)" '{"limits": {"cpu": 1}}'
done

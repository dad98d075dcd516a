#!/usr/bin/env bash
# An OpenAPI 3.0 description with `nullable: true` in fields that are required, as DigitalOcean's: models of
# datamodel-code-generator 0.89.0 for pydantic 2.14.4 refuse null in each of them, and take it in fields that are not nullable,
# if they may be missing. Those of openapi-python-client 0.29.1 take it for any text and an `allOf`, not for an enum, nor for
# an `allOf` with its type. openapi-core 0.23.1 refuses it but for the text; schemathesis 4.32.5 takes it everywhere.
# Guess: openapi-core refuses it for enum and `allOf`; the rest take it in all fields that are nullable.
# Seen: not one of the four agrees with another. `--strict-nullable` has datamodel-code-generator take them all.
source "$(dirname "$0")/lib/setup.sh"
python_with datamodel-code-generator==0.89.0 pydantic==2.14.4 openapi-python-client==0.29.1 openapi-core==0.23.1 schemathesis==4.32.5 requests==2.34.2
cd "$folder"
cat >api.json <<'JSON'
{"openapi": "3.0.3", "info": {"title": "Registry", "version": "1"}, "servers": [{"url": "http://127.0.0.1"}],
 "paths": {"/r": {"get": {"operationId": "get_r", "responses": {"200": {"description": "it", "content": {"application/json":
   {"schema": {"$ref": "#/components/schemas/Registry"}}}}}}}},
 "components": {"schemas": {
  "Tier": {"type": "object", "required": ["slug"], "properties": {"slug": {"type": "string"}}},
  "Registry": {"type": "object", "required": ["text", "tier", "typed", "state"], "properties": {
    "text": {"type": "string", "nullable": true},
    "tier": {"nullable": true, "allOf": [{"$ref": "#/components/schemas/Tier"}]},
    "typed": {"type": "object", "nullable": true, "allOf": [{"$ref": "#/components/schemas/Tier"}]},
    "state": {"type": "string", "nullable": true, "enum": ["free", "busy"]},
    "region": {"type": "string"}}}}}}
JSON
{
  venv/bin/datamodel-codegen --input api.json --output-model-type pydantic_v2.BaseModel --output made_pydantic.py
  venv/bin/datamodel-codegen --input api.json --output-model-type pydantic_v2.BaseModel --strict-nullable --output made_strict.py
  venv/bin/openapi-python-client generate --path api.json --output-path made_client --meta none
} >made.log 2>&1
cat >by.py <<'PY'
import datetime
import json
import sys

name = sys.argv[1]
spec = json.load(open("api.json"))
GOOD = {"text": "a", "tier": {"slug": "a"}, "typed": {"slug": "a"}, "state": "free", "region": "a"}


def read(document):
    if name.startswith("made_pydantic") or name.startswith("made_strict"):
        return __import__(name).Registry.model_validate(document)
    if name == "openapi-python-client":
        from made_client.models import Registry

        return Registry.from_dict(document)
    if name == "openapi-core":
        from openapi_core import OpenAPI
        from openapi_core.testing import MockRequest, MockResponse

        request = MockRequest("http://127.0.0.1", "get", "/r")
        found = OpenAPI.from_dict(spec).unmarshal_response(request, MockResponse(json.dumps(document).encode()))
        return found.raise_for_errors()
    import requests
    import schemathesis
    from urllib3 import HTTPResponse

    answer = requests.Response()
    answer.status_code, answer.elapsed = 200, datetime.timedelta()
    answer._content = json.dumps(document).encode()
    answer.raw = HTTPResponse(headers={"Content-Type": "application/json"})
    answer.request = requests.Request("GET", "http://127.0.0.1/r").prepare()
    return schemathesis.openapi.from_dict(spec)["/r"]["GET"].validate_response(answer)


read(GOOD)
taken = []
for field in GOOD:
    try:
        read({**GOOD, field: None})
        taken.append(field)
    except BaseException:
        pass
print(*taken or ["nothing"])
PY
# takes NAME: the fields that may be null.
takes() { venv/bin/python -W ignore by.py "$1" 2>/dev/null; }
same "datamodel-code-generator" "$(takes made_pydantic)" "region"
same "datamodel-code-generator, --strict-nullable" "$(takes made_strict)" "text tier typed state region"
same "openapi-python-client" "$(takes openapi-python-client)" "text tier region"
same "openapi-core" "$(takes openapi-core)" "text"
same "schemathesis" "$(takes schemathesis)" "text tier typed state"

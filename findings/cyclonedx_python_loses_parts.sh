#!/usr/bin/env bash
# cyclonedx-python-lib 11.12.0: a valid SBOM, read by `Bom.from_json` and written again, lacks `compositions`, `annotations` and
# `formulation`, and a component without `bom-ref` gets a random one each time. Nothing is raised or logged.
# Guess: all is kept, or an error.
# Seen: who adds one component to an SBOM in this way drops whether it is complete, and makes another file each time.
source "$(dirname "$0")/lib/setup.sh"
python_with 'cyclonedx-python-lib[json-validation]==11.12.0'
cat >"$folder/again.py" <<'PY'
import json, sys
from cyclonedx.model.bom import Bom
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
bom = {
    "bomFormat": "CycloneDX",
    "specVersion": "1.6",
    "serialNumber": "urn:uuid:11111111-1111-4111-8111-111111111111",
    "metadata": {"timestamp": "2024-01-02T03:04:05Z"},
    "components": [
        {"type": "container", "bom-ref": "image", "name": "web", "version": "v1"},
        {"type": "library", "name": "plain", "version": "1"},
    ],
    "compositions": [{"aggregate": "complete", "assemblies": ["image"]}],
    "annotations": [
        {
            "subjects": ["image"],
            "annotator": {"individual": {"name": "anna"}},
            "timestamp": "2024-01-02T03:04:05Z",
            "text": "reviewed",
        }
    ],
    "formulation": [{"bom-ref": "how"}],
}
assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(bom)) is None
once, twice = (json.loads(JsonV1Dot6(Bom.from_json(bom)).output_as_string()) for _ in range(2))
print("lost:", *sorted(set(bom) - set(once)))
print("twice the same:", once == twice)
PY
seen=$(python "$folder/again.py" 2>&1)
same "lost" "$(sed -n 's/^lost: //p' <<<"$seen")" "annotations compositions formulation"
same "twice the same" "$(sed -n 's/^twice the same: //p' <<<"$seen")" False
same "other lines" "$(grep -vcE '^(lost|twice)' <<<"$seen" || true)" 0

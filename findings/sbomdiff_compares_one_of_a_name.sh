#!/usr/bin/env bash
# sbomdiff 0.6.0: of two components with one name, as an image has of a library in two versions, it compares the first alone.
# If the second is taken out or gets another version, there is no difference and the exit code is 0; the same two in the
# other order are a change of version. A component without a version is none.
# Guess: the pair of name and version, or the package URL, is what it compares.
# Seen: "Removed packages: 0" where one is removed, one "Version changed" where nothing is.
source "$(dirname "$0")/lib/setup.sh"
python_with sbomdiff==0.6.0 lib4sbom==0.10.4
# sbom FILE NAME@VERSION...
sbom() {
  python3 - "$folder/$1.json" "${@:2}" <<'PY'
import json
import sys

path, *names = sys.argv[1:]
components = []
for one in names:
    name, _, version = one.partition("@")
    components.append({"type": "library", "name": name, "purl": f"pkg:golang/{one}".rstrip("@")})
    if version:
        components[-1]["version"] = version
with open(path, "w") as file:
    json.dump({"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1, "components": components}, file)
PY
}
# difference A B: the exit code, and how many versions are changed, packages removed and new.
difference() {
  local code=0
  "$folder/venv/bin/sbomdiff" --exclude-license "$folder/$1.json" "$folder/$2.json" >"$folder/difference" 2>/dev/null || code=$?
  echo "$code: $(awk '/changes:|packages:/ { print $NF }' "$folder/difference" | xargs)"
}
sbom two yaml@2.4.0 yaml@3.0.1 zlib@1.3
sbom first yaml@2.4.0 zlib@1.3
sbom second yaml@3.0.1 zlib@1.3
sbom newer yaml@2.4.0 yaml@3.0.2 zlib@1.3
sbom turned yaml@3.0.1 yaml@2.4.0 zlib@1.3
sbom unversioned yaml@2.4.0 zlib
same "one of another name removed" "$(difference two unversioned)" "1: 0 1 0"
same "the second removed" "$(difference two first)" "0: 0 0 0"
same "the second added" "$(difference first two)" "0: 0 0 0"
same "the first removed" "$(difference two second)" "1: 1 0 0"
same "the second of another version" "$(difference two newer)" "0: 0 0 0"
same "in the other order" "$(difference two turned)" "1: 1 0 0"

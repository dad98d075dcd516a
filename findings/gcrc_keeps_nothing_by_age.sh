#!/usr/bin/env bash
# gcrc 1.0.6 (PyPI), a clean-up of Google's registry: `KEEP_TAGS_DAYS=14`, to its README "keep everything from within this
# many days", keeps what is of the next 14 days. What is left are the `KEEP_TAGS_MIN` newest, and as many of `latest` and main.
# Guess, from its README: what was pushed today stays.
# Seen: of twelve images of today two are deleted, with more days as well; with `-14` none is.
source "$(dirname "$0")/lib/setup.sh"
python_with gcrc==1.0.6 typer==0.3.2 click==7.1.2
# Twelve images of the last twelve hours, as the vendor's program lists them; what is deleted goes to a file.
mkdir "$folder/path"
cat >"$folder/path/gcloud" <<'PY'
#!/usr/bin/env python3
import datetime
import json
import os
import sys

match sys.argv[3:]:
    case ["list", *_]:
        print(json.dumps([{"name": "gcr.io/team/web"}]))
    case ["list-tags", *_]:
        now = datetime.datetime.now(datetime.UTC)
        times = [now - datetime.timedelta(hours=hour) for hour in range(12)]
        rows = [
            {"digest": f"sha256:{at}", "tags": [f"v{at}"], "timestamp": {"datetime": str(time)}}
            for at, time in enumerate(times)
        ]
        print(json.dumps(rows))
    case ["delete", *_, name]:
        with open(os.environ["DELETED"], "a") as file:
            print(name.rpartition(":")[2], file=file)
PY
chmod +x "$folder/path/gcloud"
# deleted DAYS: which are deleted, by their hours.
deleted() {
  rm -f "$folder/deleted"
  (cd "$folder" && DELETED=$folder/deleted PATH=$folder/path:$PATH KEEP_TAGS_DAYS=$1 "$folder/venv/bin/python" -m gcrc cleanup gcr.io/team >/dev/null)
  sort -n "$folder/deleted" 2>/dev/null | xargs
}
same "keep 14 days" "$(deleted 14)" "10 11"
same "keep 3650 days" "$(deleted 3650)" "10 11"
same "keep -14 days" "$(deleted -14)" ""

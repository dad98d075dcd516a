"""Push an image of Docker's types with a history: push_dated.py URL REPOSITORY TAG TIME.

Prints the digest of the manifest.
"""

import json
import sys

from push import digest, image, push_blob, send

DOCKER = "application/vnd.docker"

base, repository, tag, time = sys.argv[1:]
manifest = image(base, repository, tag)
config = {
    "architecture": "amd64",
    "os": "linux",
    "created": time,
    "rootfs": {"type": "layers", "diff_ids": [manifest["layers"][0]["digest"]]},
    "history": [{"created": time, "created_by": tag}],
}
manifest["config"] = push_blob(base, repository, json.dumps(config).encode(), "config.v1+json")
manifest["config"]["mediaType"] = f"{DOCKER}.container.image.v1+json"
manifest["layers"][0]["mediaType"] = f"{DOCKER}.image.rootfs.diff.tar"
manifest["mediaType"] = f"{DOCKER}.distribution.manifest.v2+json"
body = json.dumps(manifest).encode()
send("PUT", f"{base}/v2/{repository}/manifests/{tag}", body, manifest["mediaType"])
print(digest(body))

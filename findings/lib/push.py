"""Push one small OCI image: push.py URL REPOSITORY REFERENCE [CONTENT].

Prints the digest of the manifest, and that of the configuration.
"""

import hashlib
import json
import sys
import urllib.request
from urllib.parse import urljoin

OCI = "application/vnd.oci.image"


def send(method, url, data=b"", kind="application/octet-stream"):
    request = urllib.request.Request(url, data, {"Content-Type": kind}, method=method)
    with urllib.request.urlopen(request) as answer:
        return answer.headers


def digest(data):
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def push_blob(base, repository, data, kind):
    start = f"{base}/v2/{repository}/blobs/uploads/"
    place = urljoin(start, send("POST", start)["Location"])
    send("PUT", f"{place}{'&' if '?' in place else '?'}digest={digest(data)}", data)
    return {"mediaType": f"{OCI}.{kind}", "digest": digest(data), "size": len(data)}


def image(base, repository, content):
    config = json.dumps({"architecture": "amd64", "os": "linux", "author": content}).encode()
    return {
        "schemaVersion": 2,
        "mediaType": f"{OCI}.manifest.v1+json",
        "config": push_blob(base, repository, config, "config.v1+json"),
        "layers": [push_blob(base, repository, f"layer of {content}".encode(), "layer.v1.tar")],
    }


if __name__ == "__main__":
    base, repository, reference, *rest = sys.argv[1:]
    manifest = image(base, repository, rest[0] if rest else "an image")
    body = json.dumps(manifest).encode()
    send(
        "PUT",
        f"{base}/v2/{repository}/manifests/{reference}",
        body,
        manifest["mediaType"],
    )
    print(digest(body), manifest["config"]["digest"])

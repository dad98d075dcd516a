"""What programs do with oras-py: `python oras_py.py push|attach|list|pull|delete IMAGE FILE`."""

import sys
from pathlib import Path

import oras.oci
import oras.provider

operation, image, path = sys.argv[1:]
registry = oras.provider.Registry(insecure=True)
registry.auth.load_configs(registry.get_container(image))
name, _, tag = image.rpartition(":")
push = {"disable_path_validation": True, "files": [f"{path}:application/x-tar"], "quiet": True}
match operation:
    case "push":
        registry.push(target=image, **push)
    case "attach":
        sent = registry.get_manifest(image)
        subject = oras.oci.Subject.from_manifest(sent)
        registry.push(target=f"{image}-sbom", subject=subject, **push)
    case "list":
        sys.stdout.write(" ".join(registry.get_tags(name)))
    case "pull":
        registry.pull(target=image, outdir=str(Path(path).with_suffix("")))
    case "delete":
        if not registry.delete_tag(name, tag):
            sys.exit("not deleted")

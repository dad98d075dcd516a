"""Reading what is in use from files: objects of Kubernetes, App Platform, or references by line."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from attrs import define, field

from aioregistry.arguments import Many, refuse_one
from aioregistry.cleanup.in_use.objects import (
    Image,
    images_of,
    invalid_images_of,
    kind_of,
    may_lack_images,
    without_image,
)
from aioregistry.cleanup.in_use.references import InUseError, Use
from aioregistry.cleanup.policy.documents import without_duplicates
from aioregistry.errors import InvalidNameError
from aioregistry.oci.references import Reference

__all__ = ["describe", "read_in_use"]

_NAME = re.compile(r"[A-Za-z0-9:._-]{1,253}")
_ID = re.compile(r"[0-9a-f]{12}|[0-9a-f]{64}")
# The output of 'kubectl get … -o name', which a reference could look like.
_OBJECT = re.compile(
    r"(?:pod|service|node|namespace|configmap|secret|serviceaccount|replicationcontroller"
    r"|(?:deployment|replicaset|statefulset|daemonset)\.apps|(?:cron)?job\.batch"
    r"|[a-z]+\.(?:[a-z0-9-]+\.)*(?:argoproj\.io|knative\.dev|tekton\.dev|kruise\.io|openshift\.io"
    r"|fluxcd\.io|kubevirt\.io|coreos\.com|keda\.sh|x-k8s\.io|networking\.k8s\.io)"
    # As events write them: Pod/web-1.
    r"|(?:[A-Z][a-z]+)+)"
    r"/[^:@]*"
)
# As programs print what they did not find.
_NOTHING = frozenset({"null", "none", "nil", "undefined", "true", "false", "error"})
_YAML = re.compile(r"(?:apiVersion|kind|items|spec|name|services):(?:\s|$)|---\s*$")
_MAX_KINDS_SHOWN = 5
_GIVE = "give the output of 'kubectl get pods -A -o json'"
_NONE = "where nothing runs, give --in-use none"


def read_in_use(
    text: str,
    name: str,
    *,
    ignore_kinds: Many[str] = (),
    notes: list[str] | None = None,
) -> list[Use]:
    """Return the images that a file says are in use. In doubt it is refused.

    Args:
        text: The output of ``kubectl get pods -A -o json``, which lacks what is scaled to 0, or
            any other objects of Kubernetes as JSON; of ``doctl apps list -o json``; or references,
            one per line, with comments after ``#``. Several documents of JSON may follow each
            other.
        name: The name of the file, for errors.
        ignore_kinds: Kinds of objects that need not name an image. None by default.
        notes: A list to which a sentence is added for each image that is passed over, because
            Kubernetes found its name invalid and never ran it; None, the default, for none.

    Raises:
        InUseError: Nothing is in it, as after a command that failed; it is an error, a part of a
            list, or a table; an object names no image; or an image is no reference.
    """
    refuse_one("ignore_kinds", ignore_kinds)
    # A file may be called what no plan can hold.
    name = name.encode("utf-8", "backslashreplace").decode()
    notes = [] if notes is None else notes
    if text.lstrip("\ufeff \t\r\n").startswith(("{", "[")):
        uses = _Documents(name, frozenset(ignore_kinds), notes).read(text)
    else:
        uses = list(_of_lines(text, name))
    if not uses:
        raise InUseError(f"{name}: no image at all, as after a command that failed; {_NONE}")
    return uses


def _of_lines(text: str, name: str) -> Iterator[Use]:
    for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), 1):
        written = line.partition("#")[0].strip()
        if not written:
            continue
        where = f"{name}, line {number}"
        if _YAML.match(written):
            raise InUseError(f"{where}: this is YAML; give JSON, as of 'kubectl … -o json'")
        if _ID.fullmatch(written):
            raise InUseError(
                f"{where}: {written!r} is the ID of an image and names no repository; give its"
                " reference, or its digest as sha256:…"
            )
        if _OBJECT.fullmatch(written):
            raise InUseError(f"{where}: {written[:80]!r} is the name of an object; {_GIVE}")
        if written in _NOTHING:
            raise InUseError(f"{where}: {written}, as after a command that found nothing; {_NONE}")
        try:
            yield Use(Reference.parse(written), f"line {number} of {name}")
        except InvalidNameError as error:
            raise InUseError(f"{where}: {error.message}") from None


@define
class _Documents:
    """Reads documents of JSON, each of which must name images."""

    name: str
    ignore_kinds: frozenset[str]
    notes: list[str]
    # Objects without an image, by their kinds.
    lacking: dict[str, list[str]] = field(factory=dict)

    def read(self, text: str) -> list[Use]:
        items = [one for document in self._parsed(text) for one in self._items(document)]
        never_ran = {image for _, item in items for image in invalid_images_of(item)}
        uses: list[Use] = []
        for kind, item in items:
            uses += self._uses(kind, item, never_ran)
        if self.lacking:
            raise InUseError(self._complaint())
        return uses

    def _parsed(self, text: str) -> Iterator[Any]:
        decoder = json.JSONDecoder(object_pairs_hook=without_duplicates)
        text = text.lstrip("\ufeff \t\r\n")
        while text:
            try:
                document, end = decoder.raw_decode(text)
            except (ValueError, RecursionError) as error:
                raise InUseError(f"{self.name}: not JSON: {error}") from None
            yield document
            text = text[end:].lstrip(" \t\r\n")

    def _items(self, document: Any) -> list[tuple[str, Mapping[str, Any]]]:
        """Return the objects of a document, each with its kind."""
        default = None
        items: Any = [document]
        if isinstance(document, list):
            items = document
        elif isinstance(document, dict):
            kind = document.get("kind")
            self._check_document(document, kind)
            if "items" in document or "apps" in document:
                items = document.get("items", document.get("apps"))
                # The list of a kind as the API gives it: its items have none of their own.
                if isinstance(kind, str) and kind.endswith("List") and kind != "List":
                    default = kind.removesuffix("List")
        if not isinstance(items, list):
            raise InUseError(f"{self.name}: its items are no list")
        if not items:
            raise InUseError(
                f"{self.name}: a list without objects, as kubectl prints it when it is refused;"
                f" {_NONE}"
            )
        found: list[tuple[str, Mapping[str, Any]]] = []
        for number, item in enumerate(items):
            kind = kind_of(item, default) if isinstance(item, dict) else None
            if kind is None:
                raise InUseError(
                    f"{self.name}, items[{number}]: no object of Kubernetes or App Platform;"
                    f" {_GIVE}"
                )
            if item is not document and ("items" in item or kind == "Status"):
                found += self._items(item)
            else:
                found.append((kind, item))
        return found

    def _check_document(self, document: Mapping[str, Any], kind: Any) -> None:
        """Refuse what is no list, or not all of it."""
        if kind == "Status":
            message = document.get("message") or document.get("reason") or "no message"
            raise InUseError(f"{self.name}: an error of Kubernetes: {str(message)[:300]}")
        if kind == "Table" or str(kind).startswith("PartialObjectMetadata"):
            raise InUseError(f"{self.name}: a {kind} has no images in it; {_GIVE}")
        metadata = document.get("metadata")
        listed = metadata if isinstance(metadata, dict) else {}
        if listed.get("continue") or listed.get("remainingItemCount"):
            raise InUseError(
                f"{self.name}: only the first part of a list: more objects follow it; {_GIVE}"
            )
        links = document.get("links")
        pages = links.get("pages") if isinstance(links, dict) else None
        if isinstance(pages, dict) and pages.get("next"):
            raise InUseError(
                f"{self.name}: only one page of apps: more follow it; give all, as"
                " 'doctl apps list -o json' prints them"
            )
        apps, meta = document.get("apps"), document.get("meta")
        total = meta.get("total") if isinstance(meta, dict) else None
        if isinstance(apps, list) and isinstance(total, int) and total > len(apps):
            raise InUseError(
                f"{self.name}: {len(apps):,} of {total:,} apps; give all pages, as"
                " 'doctl apps list -o json' prints them"
            )

    def _uses(self, kind: str, item: Mapping[str, Any], never_ran: set[str]) -> Iterator[Use]:
        where = describe(kind, item)
        is_ignored = kind in self.ignore_kinds or may_lack_images(kind)
        passed_over = found = False
        images = {image.name: image for image in sorted(images_of(item), key=_certain_last)}
        for image in images.values():
            if image.name in never_ran:
                passed_over = True
                self.notes.append(
                    f"{where}: passed over {image.name[:80]!r}: an invalid name, so it never ran"
                )
                continue
            try:
                yield Use(Reference.parse(image.name), where)
            except InvalidNameError as error:
                if image.is_certain and not is_ignored:
                    raise InUseError(
                        f"{self.name}, {where}: {error.message}; --in-use-ignore {kind} passes"
                        " over such objects"
                    ) from None
            else:
                found = True
        container = without_image(item, kind)
        if not is_ignored and (container is not None or not (found or passed_over)):
            self.lacking.setdefault(kind, []).append(where)

    def _complaint(self) -> str:
        kinds = [
            f"{kind} ({places[0]}{f' and {len(places) - 1:,} more' if len(places) > 1 else ''})"
            for kind, places in self.lacking.items()
        ]
        left = len(kinds) - _MAX_KINDS_SHOWN
        ignore = " ".join(f"--in-use-ignore {kind}" for kind in self.lacking)
        return (
            f"{self.name}: no image found in {', '.join(kinds[:_MAX_KINDS_SHOWN])}"
            f"{f' and {left:,} kinds more' if left > 0 else ''}; if these"
            f" run none, give {ignore}"
        )


def _certain_last(image: Image) -> bool:
    return image.is_certain


def describe(kind: str, item: Mapping[str, Any]) -> str:
    """Return what an object is called in reasons: ``pod default/web-1``."""
    metadata = item.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    spec = item.get("spec", item)
    name = metadata.get("name")
    if kind == "App" and isinstance(spec, dict):
        name = spec.get("name")
    namespace = f"{_name(metadata['namespace'])}/" if "namespace" in metadata else ""
    return f"{_name(kind).lower()} {namespace}{_name(name)}"


def _name(value: object) -> str:
    # It goes into plans and journals, and what is no name can be anything.
    return value if isinstance(value, str) and _NAME.fullmatch(value) else "?"

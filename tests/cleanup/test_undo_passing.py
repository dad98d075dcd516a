"""An undo while the registry answers some requests with a 404 that passes."""

import hashlib

import pytest

from aioregistry.cleanup.records.archive import Archive
from aioregistry.cleanup.undo.undo import undo
from aioregistry.errors import NotFoundError
from aioregistry.oci.documents import FetchedManifest

DOCUMENT = b'{"schemaVersion": 2}'
DIGEST = f"sha256:{hashlib.sha256(DOCUMENT).hexdigest()}"


class Store:
    """Manifests of one repository by digest and tag; requests in `passing` are denied once."""

    def __init__(self, *here: str, passing: tuple[tuple[str, str], ...]) -> None:
        self.here = set(here)
        self.passing = list(passing)

    def _has(self, method: str, reference: str) -> bool:
        if (method, reference) in self.passing and reference in self.here:
            self.passing.remove((method, reference))
            return False
        return reference in self.here

    async def find_manifest(self, repository, reference):
        return DIGEST if self._has("HEAD", reference) else None

    async def get_manifest(self, repository, reference):
        if not self._has("GET", reference):
            raise NotFoundError("no such manifest", status=404)
        return FetchedManifest(DIGEST, "x", DOCUMENT)

    async def has_blob(self, repository, digest):
        return True

    async def put_manifest(self, repository, reference, document, media_type, *, once=False):
        self.here.add(reference)


@pytest.fixture
async def path(tmp_path):
    """An archive of a tag whose manifest stayed."""
    async with Archive(tmp_path / "archive", "example") as archive:
        await archive.add("web", DIGEST, ("v1",))
    return tmp_path / "archive"


async def test_a_tag_whose_manifest_seems_to_be_gone_once_comes_back(path):
    report = await undo(Store(DIGEST, passing=(("GET", DIGEST),)), path)
    assert [one.name for one in report.restored] == ["v1"], report


async def test_a_tag_that_seems_to_be_missing_after_its_put_is_restored(path):
    report = await undo(Store(DIGEST, passing=(("HEAD", "v1"),)), path)
    assert [one.name for one in report.restored] == ["v1"], report


async def test_a_tag_whose_manifest_is_gone_is_lost(path):
    report = await undo(Store(passing=()), path)
    assert [one.name for one in report.lost] == ["v1"], report

"""Documents held from their reading until they are archived: bounded, and read once."""

import hashlib

from aioregistry.cleanup.manifests.content import Content, Document, UnreadableContentError
from aioregistry.cleanup.manifests.held import HeldDocuments
from aioregistry.cleanup.manifests.reader import DocumentStore
from tests.cleanup.registries import OCI_IMAGE


def named(body: bytes) -> tuple[str, bytes]:
    return f"sha256:{hashlib.sha256(body).hexdigest()}", body


BODIES = dict(named(b'{"schemaVersion":2,"layers":[],"n":%3d}' % n) for n in range(600))
SIZE = len(next(iter(BODIES.values())))
DIGESTS = list(BODIES)


class Source:
    """Contents by request, and documents at hand but for some."""

    def __init__(self, absent=(), bodies=BODIES):
        self.bodies = bodies
        self.absent = frozenset(absent)
        self.asked = []
        self.read_from_registry = []

    async def read(self, repository, digests, on_read=None):
        self.read_from_registry += digests
        return {digest: Content(OCI_IMAGE, 1) for digest in digests}

    async def documents_at_hand(self, digests):
        wanted = list(digests)
        self.asked.append(wanted)
        here = [digest for digest in wanted if digest not in self.absent]
        return {digest: Document(self.bodies[digest], OCI_IMAGE) for digest in here}


async def test_what_is_deleted_soon_is_read_once_for_its_content_and_for_the_archive():
    source = Source()
    held = HeldDocuments(source)
    assert isinstance(held, DocumentStore)
    found = await held.read("web", DIGESTS[:3], DIGESTS)
    assert {digest: one.size for digest, one in found.items()} == dict.fromkeys(DIGESTS[:3], SIZE)
    documents = await held.documents_at_hand(DIGESTS[:3])
    assert {digest: one.body for digest, one in documents.items()} == {
        digest: BODIES[digest] for digest in DIGESTS[:3]
    }
    assert source.asked == [DIGESTS[:3]]
    assert source.read_from_registry == []


async def test_what_is_not_deleted_soon_is_read_as_ever_and_not_held():
    source = Source()
    held = HeldDocuments(source)
    found = await held.read("web", DIGESTS[:4], DIGESTS[2:])
    assert list(found) == [*DIGESTS[2:4], *DIGESTS[:2]]
    assert source.read_from_registry == DIGESTS[:2]
    await held.documents_at_hand(DIGESTS[:4])
    assert source.asked == [DIGESTS[2:4], DIGESTS[:2]]


async def test_no_more_is_held_than_there_is_room_for_and_the_next_come_first():
    source = Source()
    held = HeldDocuments(source, most_bytes=256 * SIZE)
    await held.read("web", DIGESTS, reversed(DIGESTS))
    assert source.asked == [DIGESTS[:-257:-1]]
    assert source.read_from_registry == DIGESTS[:-256]


async def test_of_a_group_for_which_there_is_no_room_the_first_are_held():
    source = Source()
    held = HeldDocuments(source, most_bytes=10 * SIZE)
    found = await held.read("web", DIGESTS, DIGESTS)
    assert found.keys() == set(DIGESTS)
    # The group that was read for them is not read again for its contents, and none after it.
    assert source.read_from_registry == DIGESTS[256:]
    await held.documents_at_hand(DIGESTS[:20])
    assert source.asked == [DIGESTS[:256], DIGESTS[10:20]]


async def test_what_was_handed_out_makes_room():
    source = Source()
    held = HeldDocuments(source, most_bytes=SIZE)
    await held.read("web", DIGESTS[:1], DIGESTS)
    await held.read("web", DIGESTS[1:2], DIGESTS)
    await held.documents_at_hand(DIGESTS[:1])
    await held.read("web", DIGESTS[2:3], DIGESTS)
    assert source.read_from_registry == [DIGESTS[1]]
    await held.documents_at_hand(DIGESTS[:1])
    assert source.asked == [[DIGESTS[0]], [DIGESTS[2]], [DIGESTS[0]]]


async def test_after_clearing_nothing_is_held_and_all_the_room_is_there():
    source = Source()
    held = HeldDocuments(source, most_bytes=2 * SIZE)
    await held.read("web", DIGESTS[:2], DIGESTS)
    held.clear()
    await held.documents_at_hand(DIGESTS[:2])
    assert source.asked == [DIGESTS[:2]] * 2
    await held.read("web", DIGESTS[2:4], DIGESTS)
    assert source.read_from_registry == []


async def test_without_room_the_source_is_asked_for_contents_alone():
    source = Source()
    held = HeldDocuments(source, most_bytes=0)
    await held.read("web", DIGESTS, DIGESTS)
    assert source.asked == []
    assert source.read_from_registry == DIGESTS


async def test_a_source_that_has_nothing_at_hand_is_asked_for_it_once():
    source = Source(absent=DIGESTS)
    found = await HeldDocuments(source).read("web", DIGESTS, DIGESTS)
    assert source.asked == [DIGESTS[:256]]
    assert source.read_from_registry == DIGESTS
    assert list(found) == DIGESTS


async def test_a_document_that_is_no_manifest_is_left_to_the_source():
    digest, body = named(b"[]")
    source = Source(bodies={digest: body})

    async def read(repository, digests, on_read=None):
        return {digest: UnreadableContentError("not a manifest") for digest in digests}

    source.read = read
    held = HeldDocuments(source)
    found = await held.read("web", [digest], [digest])
    assert isinstance(found[digest], UnreadableContentError)
    await held.documents_at_hand([digest])
    assert source.asked == [[digest]] * 2


async def test_a_source_without_documents_has_none():
    class Contents:
        async def read(self, repository, digests, on_read=None):
            return {digest: Content(OCI_IMAGE, 1) for digest in digests}

    held = HeldDocuments(Contents())
    assert list(await held.read("web", DIGESTS[:2], DIGESTS)) == DIGESTS[:2]
    assert await held.documents_at_hand(DIGESTS[:2]) == {}

"""What an archive has, and in which order it comes back."""

from aioregistry.cleanup.manifests.content import Content
from aioregistry.cleanup.records.archive import Archive
from aioregistry.cleanup.records.archive_format import survey
from aioregistry.cleanup.undo.order import restoration_of
from aioregistry.cleanup.undo.summary import summarize_archive
from tests.cleanup.registries import signature_tag
from tests.cleanup.test_archive import digest_of

AMD, ARM, MULTI, OTHER, SBOM, SIGNED = (
    digest_of(name) for name in (b"amd", b"arm", b"multi", b"other", b"sbom", b"signed")
)
CONTENTS = {
    AMD: Content("image", 1),
    ARM: Content("image", 1),
    MULTI: Content("index", 1, (AMD, ARM)),
    SBOM: Content("image", 1, (), AMD),
    SIGNED: Content("image", 1, (), SBOM),
    OTHER: Content("image", 1),
}
TAGS = {"multi": MULTI, "other": OTHER}


def waves(*wanted):
    found = restoration_of(CONTENTS, TAGS, wanted or None)
    return [set(wave) for wave in found.waves], dict(found.tags)


def test_all_comes_back_children_and_subjects_first():
    found, tags = waves()
    assert found == [{AMD, ARM, OTHER}, {MULTI, SBOM}, {SIGNED}]
    assert tags == TAGS


def test_a_wanted_tag_brings_its_parts_and_what_refers_to_them():
    found, tags = waves("multi")
    assert found == [{AMD, ARM}, {MULTI, SBOM}, {SIGNED}]
    assert tags == {"multi": MULTI}


def test_a_wanted_tag_brings_nothing_else():
    assert waves("other") == ([{OTHER}], {"other": OTHER})
    assert waves("none") == ([], {})


def test_tags_that_name_a_wanted_digest_come_with_it():
    tags = TAGS | {signature_tag(MULTI): SIGNED, signature_tag(OTHER): SBOM}
    found = restoration_of(CONTENTS, tags, ["multi", "gone"])
    assert found.tags == {"multi": MULTI, signature_tag(MULTI): SIGNED}


def test_signatures_of_parts_and_of_signatures_come_with_a_wanted_tag():
    of_part, of_signature = signature_tag(ARM), signature_tag(OTHER)
    tags = {"multi": MULTI, of_part: OTHER, of_signature: SIGNED}
    contents = {digest: Content("image", 1) for digest in (ARM, OTHER, SIGNED)}
    contents[MULTI] = CONTENTS[MULTI]
    found = restoration_of(contents, tags, ["multi"])
    assert found.tags == tags
    assert {digest for wave in found.waves for digest in wave} == contents.keys()


def test_signatures_of_a_manifest_that_stayed_come_with_its_tag():
    tags = {"multi": MULTI, signature_tag(MULTI): SIGNED, signature_tag(AMD): SBOM}
    signed = dict.fromkeys((SIGNED, SBOM), CONTENTS[OTHER])
    # Its parts are in no archive, and so nobody knows them.
    assert restoration_of(signed, tags, ["multi"]).waves == ((SIGNED,),)


async def test_an_archive_is_summed_up_by_repository(tmp_path):
    path = tmp_path / "archive.gz"
    async with Archive(path, "example") as archive:
        await archive.add("web", AMD, ("a", "b"), b"amd", "image")
        await archive.add("api", OTHER, (), b"other", "image")
        await archive.add("web", ARM, ("c",))
    found = summarize_archive(path)
    times = [one.at for one, _ in survey(path, None)]
    assert found.registry == "example"
    assert set(found.repositories) == {"web", "api"}
    web, api = found.repositories["web"], found.repositories["api"]
    assert (web.tags, web.manifests) == ({"a", "b", "c"}, {AMD})
    assert (web.first, web.last) == (times[0], times[2])
    assert (api.tags, api.manifests) == (set(), {OTHER})
    assert times[0] < times[2]

"""What runs somewhere, as it is told in files and in Python."""

import json

import pytest

from aioregistry.cleanup.in_use.files import read_in_use
from aioregistry.cleanup.in_use.references import (
    InUse,
    InUseError,
    Use,
    collect_in_use,
)
from aioregistry.cleanup.in_use.summary import InUseSummary
from aioregistry.cleanup.manifests.blobs import pack_blobs
from aioregistry.cleanup.manifests.listed import ListedManifest
from aioregistry.oci.references import Reference

DIGEST = "sha256:" + "a" * 64
HOST = "registry.digitalocean.com"


def pod(name: str = "web-1", namespace: str | None = "default", **parts: object) -> dict:
    metadata = {"name": name} | ({} if namespace is None else {"namespace": namespace})
    return {"kind": "Pod", "metadata": metadata, **parts}


def read(*objects: object) -> list[tuple[str, str]]:
    text = json.dumps({"kind": "List", "items": list(objects)})
    return [(str(use.reference), use.where) for use in read_in_use(text, "pods.json")]


def test_the_images_of_all_containers_of_a_pod_are_in_use():
    spec = {
        "containers": [{"image": "example/web:v1"}, {"image": "example/side:v2"}],
        "initContainers": [{"image": "example/init:v3"}],
        "ephemeralContainers": [{"image": "example/debug:v4"}],
    }
    assert {image for image, _ in read(pod(spec=spec))} == {
        "example/web:v1",
        "example/side:v2",
        "example/init:v3",
        "example/debug:v4",
    }


def test_what_a_container_runs_is_in_use_whatever_its_tag_says_now():
    status = {
        "containerStatuses": [{"image": "example/web:v1", "imageID": f"example/web@{DIGEST}"}]
    }
    assert {image for image, _ in read(pod(status=status))} == {
        "example/web:v1",
        f"example/web@{DIGEST}",
    }


def test_a_pod_that_was_not_scheduled_yet_has_no_image_of_its_own():
    status = {"containerStatuses": [{"image": "", "imageID": ""}, None, "x"]}
    spec = {"containers": [{"image": "example/web:v1"}]}
    assert [image for image, _ in read(pod(spec=spec, status=status))] == ["example/web:v1"]


def test_where_it_runs_is_told():
    spec = {"containers": [{"image": "example/web:v1"}]}
    assert read(pod(spec=spec)) == [("example/web:v1", "pod default/web-1")]
    assert read(pod(namespace=None, spec=spec)) == [("example/web:v1", "pod web-1")]
    assert read({"kind": "Pod", "metadata": None, "spec": spec}) == [("example/web:v1", "pod ?")]


def test_what_makes_pods_counts_as_well():
    template = {"spec": {"containers": [{"image": "example/web:v1"}]}}
    job = {"kind": "CronJob", "spec": {"jobTemplate": {"spec": {"template": template}}}}
    assert read(job) == [("example/web:v1", "cronjob ?")]


def test_one_object_and_a_bare_list_are_read_too():
    one = pod(spec={"containers": [{"image": "example/web:v1"}]})
    assert len(read_in_use("\ufeff" + json.dumps(one), "x")) == 1
    assert len(read_in_use(json.dumps([one, one]), "x")) == 2
    assert len(read_in_use(" \t\r\n" + json.dumps([one]), "x")) == 1


NO_OBJECT = (
    "no object of Kubernetes or App Platform; give the output of 'kubectl get pods -A -o json'"
)


def refusal(text: str, name: str) -> str:
    with pytest.raises(InUseError) as caught:
        read_in_use(text, name)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"items": {}}', ": its items are no list"),
        ("[5]", f", items[0]: {NO_OBJECT}"),
        ('{"a": 1}', f", items[0]: {NO_OBJECT}"),
        ('[{"kind": "Pod"}, {"kind": null}]', f", items[1]: {NO_OBJECT}"),
        ('{"items": [{"kind": "Pod"}], "items": []}', ": not JSON: 'items' appears twice"),
    ],
)
def test_what_is_no_list_of_pods_is_refused_and_never_skipped(text, problem):
    assert refusal(text, "pods.json") == f"pods.json{problem}"


@pytest.mark.parametrize("text", ["{", "[" * 200_000])
def test_what_is_no_json_is_refused(text):
    assert refusal(text, "pods.json").startswith("pods.json: not JSON: ")


def test_an_image_that_is_no_reference_is_refused_with_where_it_runs():
    text = json.dumps(pod(spec={"containers": [{"image": "no image"}]}))
    said = "pods.json, pod default/web-1: not a reference: 'no image' (a repository is "
    assert refusal(text, "pods.json").startswith(said)


def test_a_list_of_references_is_read_line_by_line():
    text = f"\ufeff# running\nexample/web:v1\n\n  {HOST}/example/api:v2  # two\n"
    assert [(str(use.reference), use.where) for use in read_in_use(text, "running.txt")] == [
        ("example/web:v1", "line 2 of running.txt"),
        (f"{HOST}/example/api:v2", "line 4 of running.txt"),
    ]


@pytest.mark.parametrize("line", ["example/web v1", "X{", "\ufeffweb"])
def test_a_line_that_is_no_reference_is_refused_with_its_number(line):
    said = f"running.txt, line 2: not a reference: {line!r} "
    assert refusal(f"example/web:v1\n{line}\n", "running.txt").startswith(said)


def test_a_text_that_does_not_begin_as_json_is_a_list_of_references():
    assert refusal("X{}", "running.txt").startswith("running.txt, line 1: not a reference: 'X{}'")


def test_a_file_whose_name_is_no_text_is_called_by_one_that_is():
    (use,) = read_in_use("example/web:v1", "running\udcff.txt")
    assert use.where == "line 1 of running\\udcff.txt"


def test_tags_and_digests_are_asked_for_by_repository():
    uses = InUse(
        [
            "example/web:v1",
            f"{HOST}/example/web@{DIGEST}",
            f"example/web:v3@{DIGEST}",
            "example/api:v2",
            "web",
        ]
    )
    assert set(uses.tags_of("example", "web")) == {"v1", "v3", "latest"}
    assert set(uses.digests_of("example", "web")) == {DIGEST}
    assert set(uses.tags_of("example", "api")) == {"v2"}
    assert not uses.tags_of("example", "other")


@pytest.mark.parametrize(
    ("reference", "tags"),
    [("web", {"latest"}), (f"web@{DIGEST}", set()), (f"web:v1@{DIGEST}", {"v1"})],
)
def test_latest_is_in_use_where_neither_tag_nor_digest_is_given(reference, tags):
    assert set(InUse([reference]).tags_of("example", "web")) == tags


def test_a_digest_alone_may_be_of_any_repository():
    uses = InUse([Use(Reference.parse(DIGEST), "a node")])
    assert uses.digests_of("example", "web") == {DIGEST: "a node"}
    assert uses.digests_of("example", "deep/api") == {DIGEST: "a node"}


def test_a_digest_alone_may_be_that_of_a_config():
    config, other = "sha256:" + "c" * 64, "sha256:" + "d" * 64
    manifests = [
        ListedManifest(DIGEST, ("v1",), blobs=pack_blobs([2], [config, DIGEST], [20, 500])[0]),
        ListedManifest(other, ("v2",), blobs=pack_blobs([1], [other], [500])[0]),
        ListedManifest("sha256:" + "e" * 64),
    ]
    uses = InUse([Use(Reference.parse(config), "a droplet")])
    assert uses.digests_of("example", "web", manifests) == {
        config: "a droplet",
        DIGEST: "a droplet",
    }
    named = InUse([f"example/web@{config}"])
    assert set(named.digests_of("example", "web", manifests)) == {config}


def test_a_config_is_found_among_very_many_manifests():
    one = pack_blobs([1], ["sha256:" + "c" * 64], [20])[0]
    manifests = [ListedManifest(f"sha256:{number:064x}", blobs=b"") for number in range(30_000)]
    manifests[20_001] = ListedManifest(manifests[20_001].digest, blobs=one)
    found = InUse(["sha256:" + "c" * 64]).digests_of("example", "web", manifests)
    assert manifests[20_001].digest in found
    assert len(found) == 2


def test_a_repository_with_slashes_is_found():
    uses = InUse([f"{HOST}/example/team/web:v1"])
    assert set(uses.tags_of("example", "team/web")) == {"v1"}


def test_what_is_no_reference_is_refused():
    with pytest.raises(InUseError, match=r"^in use: not a reference: 'no reference' "):
        InUse(["no reference"])


async def test_any_source_is_taken():
    async def running():
        yield "example/web:v1"

    for source in (["example/web:v1"], running(), InUse([Reference.parse("example/web:v1")])):
        assert set((await collect_in_use(source)).tags_of("example", "web")) == {"v1"}
    assert not (await collect_in_use(None)).tags_of("example", "web")


async def test_one_text_is_no_list_of_them():
    with pytest.raises(TypeError) as caught:
        await collect_in_use("example/web:v1")
    assert (
        str(caught.value)
        == "in_use takes several: put a single one into a list, ['example/web:v1']"
    )


@pytest.mark.parametrize("reference", ["other/web:v1", "example/team/web:v1", "docker.io/x/web:v1"])
def test_what_runs_of_another_repository_of_that_name_is_not_in_use_here(reference):
    assert not InUse([reference]).tags_of("example", "web")


def test_a_summary_names_five_that_were_not_found():
    missing = tuple(f"example/web:v{number}" for number in range(7))
    assert str(
        InUseSummary(read=1_200, references=(*missing, "example/web:a"), not_found=missing)
    ) == (
        "in use: 1,200 references read, 8 of this registry, 1 found, 7 not found:"
        " example/web:v0, example/web:v1, example/web:v2, example/web:v3, example/web:v4"
        " and 2 more"
    )
    assert str(InUseSummary(read=1, references=missing[:5], not_found=missing[:5])).endswith("v4")
    assert str(InUseSummary(read=1, references=("a",))) == (
        "in use: 1 reference read, 1 of this registry, 1 found, 0 not found"
    )
    assert str(InUseSummary(read=0)) == "in use: nothing, as stated"

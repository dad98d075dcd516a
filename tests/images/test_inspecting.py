"""What an image is said to be made of, hostile ones among them."""

import json
from datetime import UTC, datetime

import pytest
from attrs import evolve

from aioregistry import NotFoundError
from aioregistry.cleanup import Delete, DeleteUntagged, Distribution, KeepNewest, Policy
from aioregistry.images import ImageConfig, inspect_image
from aioregistry.images.config import config_of
from aioregistry.sandbox import Fault, Faults
from tests.conftest import QUICK
from tests.images.pushing import put
from tests.images.test_copying import REFERRERS, fail, named, release
from tests.real.images import CONFIG, IMAGE, INDEX, Store


@pytest.fixture
def registry(client):
    return client.registry("example")


@pytest.fixture
async def distribution(sandbox, registry):
    async with Distribution(registry, base_url=sandbox.url, retry=QUICK) as distribution:
        yield distribution


@pytest.fixture
def store():
    return Store()


def image_with(store: Store, config: bytes, kind: str = CONFIG, **more) -> dict:
    document = {
        "schemaVersion": 2,
        "mediaType": IMAGE,
        "config": store.add(config, kind),
        "layers": [],
    }
    return store.document({**document, **more})


async def test_an_index_with_all_that_belongs_to_it(sandbox, store, registry, distribution):
    root = release(store)
    amd = json.loads(store.contents[root["digest"]])["manifests"][0]
    put(sandbox, store, root, "v1")
    put(sandbox, store, root, "stable")
    put(sandbox, store, store.signature(root), named(root, ".sig"))
    put(sandbox, store, store.referrer(root, "an SBOM"))
    found = await inspect_image(registry, distribution, "web", "v1")
    assert found.digest == root["digest"]
    assert set(found.tags) == {"v1", "stable"}
    assert found.pushed_at is not None
    kinds = [(one.kind, one.platform) for one in found.manifests]
    assert kinds[0] == ("index", None)
    assert ("image", "linux/amd64") in kinds
    assert ("image", "linux/arm64") in kinds
    by_kind = {one.kind: one for one in found.manifests}
    assert by_kind["attestation"].refers_to == amd["digest"]
    assert by_kind["signature"].refers_to == root["digest"]
    assert by_kind["signature"].tag == named(root, ".sig")
    assert by_kind["artifact"].refers_to == root["digest"]
    image = next(one for one in found.manifests if one.digest == amd["digest"])
    assert image.config.labels == {"name": "app amd64"}
    assert [layer.size_bytes for layer in image.layers] == [
        layer["size"] for layer in json.loads(store.contents[amd["digest"]])["layers"]
    ]
    assert image.size_bytes > sum(layer.size_bytes for layer in image.layers)


async def test_layers_that_others_have(sandbox, store, registry, distribution):
    base = store.layer("base")
    put(sandbox, store, store.image("1", [base, store.layer("own")]), "v1")
    put(sandbox, store, store.image("2", [base]), "v2")
    bare = store.image("3", [base])
    put(sandbox, store, bare)
    put(sandbox, store, store.image("4", [base]), "v1", to="api")
    found = await inspect_image(registry, distribution, "web", "v1")
    shared, own = found.manifests[0].layers
    assert set(shared.shared_with) == {"web:v2", f"web@{bare['digest']}"}
    assert (shared.shared_count, own.shared_count, found.listed_manifests) == (2, 0, 2)
    everywhere = await inspect_image(registry, distribution, "web", "v1", all_repositories=True)
    assert "api:v1" in everywhere.manifests[0].layers[0].shared_with
    assert everywhere.listed_manifests == 3


async def test_many_that_share_are_counted_and_some_named(sandbox, store, registry, distribution):
    base = store.layer("base")
    for number in range(12):
        put(sandbox, store, store.image(str(number), [base]), f"v{number}")
    (layer,) = (await inspect_image(registry, distribution, "web", "v0")).manifests[0].layers
    assert (layer.shared_count, len(layer.shared_with)) == (11, 5)


async def test_a_policy_is_explained_for_each_tag(sandbox, store, registry, distribution):
    root = store.image("app", [store.layer("a")])
    put(sandbox, store, root, "pr-1")
    put(sandbox, store, root, "main")
    policy = Policy([Delete(tags="pr-*")])
    found = await inspect_image(registry, distribution, "web", "main", policy=policy)
    said = {one.tag: one.deleted for one in found.decisions}
    assert said == {"pr-1": True, "main": False}
    assert any(answer.decides for one in found.decisions for answer in one.rules)


@pytest.mark.parametrize("deletes", [True, False])
async def test_a_policy_is_explained_for_a_manifest_without_tags(
    sandbox, store, registry, distribution, deletes
):
    root = store.image("app", [store.layer("a")])
    put(sandbox, store, root)
    put(sandbox, store, store.image("other", [store.layer("b")]), "v1")
    rule = DeleteUntagged() if deletes else KeepNewest(3, tags="*")
    policy = Policy([rule])
    now = datetime(2100, 1, 1, tzinfo=UTC)
    found = await inspect_image(
        registry, distribution, "web", root["digest"], policy=policy, now=now
    )
    ((tag, deleted),) = [(one.tag, one.deleted) for one in found.decisions]
    assert (tag, deleted) == ("", deletes)
    assert found.decisions[0].reason


async def test_a_child_that_is_missing_is_told(sandbox, store, registry, distribution):
    child = store.image("app", [store.layer("a")])
    put(sandbox, store, store.index(child), "v1")
    sandbox.state.delete_manifest("example", "web", child["digest"])
    found = await inspect_image(registry, distribution, "web", "v1")
    missing = found.manifests[-1]
    assert (missing.digest, missing.kind, missing.platform) == (
        child["digest"],
        "missing",
        "linux/amd64",
    )
    assert "does not exist" in missing.problem


async def test_an_image_that_does_not_exist_is_not_found(sandbox, store, registry, distribution):
    put(sandbox, store, store.image("app", []), "v1")
    with pytest.raises(NotFoundError):
        await inspect_image(registry, distribution, "web", "v2")


async def test_lists_that_a_proxy_does_not_find_are_not_taken_for_empty(
    sandbox, store, registry, distribution
):
    put(sandbox, store, store.image("app", []), "v1")
    sandbox.faults = Faults(Fault(kind="html", status=404, route="*/digests"))
    with pytest.raises(NotFoundError) as caught:
        await inspect_image(registry, distribution, "web", "v1")
    assert not caught.value.is_certain


@pytest.mark.parametrize(
    "document",
    [
        {"schemaVersion": 2, "mediaType": INDEX, "manifests": [{"mediaType": IMAGE}]},
        {"schemaVersion": 2, "mediaType": INDEX, "manifests": {}},
        {"schemaVersion": 2, "mediaType": IMAGE, "layers": [1]},
        {"schemaVersion": 2, "mediaType": IMAGE, "config": [], "layers": []},
        {"schemaVersion": 2, "mediaType": IMAGE},
    ],
)
async def test_what_cannot_be_understood_is_said_to_be_unreadable(
    sandbox, store, registry, distribution, document, monkeypatch
):
    root = store.image("app", [store.layer("a")])
    put(sandbox, store, root, "v1")
    body = json.dumps(document).encode()
    digest = store.add(body, document["mediaType"])["digest"]
    original = distribution.get_manifest

    async def get(repository, reference):
        fetched = await original(repository, reference)
        return evolve(fetched, digest=digest, body=body, raw=body)

    monkeypatch.setattr(distribution, "get_manifest", get)
    fail(sandbox, REFERRERS)
    found = await inspect_image(registry, distribution, "web", "v1")
    assert found.manifests[0].kind == "unreadable"
    assert found.manifests[0].problem


async def test_a_config_that_is_missing_or_too_large_is_told(
    sandbox, store, registry, distribution
):
    root = image_with(store, b"{}")
    put(sandbox, store, root, "v1")
    fail(sandbox, "/v2/{registry}/{repository}/blobs/{reference}")
    (one,) = (await inspect_image(registry, distribution, "web", "v1")).manifests
    assert "could not be read" in one.config.problem
    document = json.loads(store.contents[root["digest"]])
    document["config"]["size"] = 10**12
    put(sandbox, store, store.document(document), "v2")
    (one,) = (await inspect_image(registry, distribution, "web", "v2")).manifests
    assert "too large to read" in one.config.problem


async def test_a_config_of_another_kind_is_not_read(sandbox, store, registry, distribution):
    helm = "application/vnd.cncf.helm.config.v1+json"
    put(sandbox, store, image_with(store, b"{}", helm), "chart")
    (one,) = (await inspect_image(registry, distribution, "web", "chart")).manifests
    assert one.config is None
    assert not [x for x in sandbox.requests if "/blobs/" in x.raw_path]


HOSTILE = [
    b"",
    b"{",
    b"[]",
    b"null",
    b'"x"',
    b"[" * 100_000,
    b'{"config": [], "rootfs": 1, "history": {}, "created": 7, "os": {}}',
    b'{"config": {"Env": {"A": 1}, "Cmd": [1, null], "Labels": {"a": 1, "b": "x"}}}',
    b'{"created": "0001-01-01T00:00:00Z"}',
    b'{"created": "9999-12-31T23:59:59.999999999-23:59"}',
    b'{"created": "2020-01-01T00:00:00"}',
    b'{"config": {"ExposedPorts": ["80/tcp"], "Volumes": 1, "Env": "A=1", "Entrypoint": "sh"}}',
    b'{"a": "\\ud800"}',
]


@pytest.mark.parametrize("body", HOSTILE)
def test_a_hostile_config_is_read_as_far_as_it_goes(body):
    config = config_of("sha256:" + "0" * 64, body)
    assert isinstance(config, ImageConfig)
    assert config.created is None or config.created.tzinfo is not None


def test_a_config_is_read():
    body = {
        "created": "2020-11-04T21:39:49.530562231Z",
        "os": "linux",
        "architecture": "arm",
        "variant": "v7",
        "author": "somebody",
        "rootfs": {"diff_ids": ["a", "b"]},
        "history": [{}, {}, {}],
        "config": {
            "Entrypoint": ["/app"],
            "Cmd": ["--serve"],
            "Env": ["PATH=/bin", "TOKEN=a=b"],
            "User": "1000",
            "WorkingDir": "/srv",
            "StopSignal": "SIGINT",
            "ExposedPorts": {"80/tcp": {}},
            "Volumes": {"/data": {}},
            "Labels": {"a": "b"},
        },
    }
    config = config_of("sha256:x", json.dumps(body).encode())
    assert config.created == datetime(2020, 11, 4, 21, 39, 49, 530562, tzinfo=UTC)
    assert (config.platform, config.author) == ("linux/arm/v7", "somebody")
    assert (config.entrypoint, config.cmd) == (("/app",), ("--serve",))
    assert config.env == {"PATH": "/bin", "TOKEN": "a=b"}
    assert (config.user, config.working_dir, config.stop_signal) == ("1000", "/srv", "SIGINT")
    assert (config.ports, config.volumes, config.labels) == (("80/tcp",), ("/data",), {"a": "b"})
    assert (config.layers, config.history) == (2, 3)
    assert "TOKEN" not in repr(config)

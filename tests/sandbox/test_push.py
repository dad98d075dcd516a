"""The registry itself, written to and listed: uploads, manifests, tags, referrers, tokens."""

import base64
import hashlib
import io
import json
import re
import shutil
import tarfile

import pytest
from yarl import URL

from aioregistry.sandbox import Fault, Faults, Phases, Sandbox
from aioregistry.sandbox.seed import generated_state
from aioregistry.sandbox.statefile import state_from_json, state_to_json
from tests.real.images import Store
from tests.real.registry import execute

OCI = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = b"a layer's bytes" * 100


def digest_of(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def described(content: bytes, media_type: str = CONFIG) -> dict:
    return {"mediaType": media_type, "digest": digest_of(content), "size": len(content)}


def image(**more) -> bytes:
    document = {
        "schemaVersion": 2,
        "mediaType": OCI,
        "config": described(b"{}"),
        "layers": [described(LAYER)],
    }
    return json.dumps({**document, **more}).encode()


class Registry:
    """Asks as a client does: the challenge first, then with the token that it names."""

    def __init__(self, session, sandbox, secret):
        self.session, self.sandbox = session, sandbox
        self.basic = {
            "Authorization": "Basic " + base64.b64encode(f"{secret}:{secret}".encode()).decode()
        }

    async def token(self, method: str, url: URL, **more) -> str:
        async with self.session.request(method, url, **more) as challenged:
            assert challenged.status == 401
            header = challenged.headers["WWW-Authenticate"]
        asked = dict(re.findall(r'(\w+)="([^"]*)"', header))
        realm = asked.pop("realm")
        async with self.session.get(realm, params=asked, headers=self.basic) as granted:
            assert granted.status == 200, await granted.text()
            return (await granted.json())["token"]

    async def ask(self, method: str, path: str, data: bytes = b"", token="", **headers):
        url = URL(self.sandbox.url + path, encoded=True)
        token = token or await self.token(method, url)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        named["Authorization"] = f"Bearer {token}"
        body = io.BytesIO(data)
        async with self.session.request(method, url, data=body, headers=named) as answered:
            answered.content_read = await answered.read()
            return answered

    async def json(self, path: str):
        answered = await self.ask("GET", path)
        assert answered.status == 200, answered.content_read
        return json.loads(answered.content_read)

    async def upload(self, content: bytes, name: str = "example/web") -> None:
        begun = await self.ask("POST", f"/v2/{name}/blobs/uploads/")
        assert begun.status == 202
        where = f"{begun.headers['Location']}?digest={digest_of(content)}"
        assert (await self.ask("PUT", where, content)).status == 201

    async def push(self, reference: str, body: bytes, name: str = "example/web", kind: str = OCI):
        path = f"/v2/{name}/manifests/{reference}"
        return await self.ask("PUT", path, body, Content_Type=kind)


@pytest.fixture
def registry(session, sandbox):
    secret = sandbox.state.issue_credentials("example", read_write=True).secret
    return Registry(session, sandbox, secret)


@pytest.fixture
async def image_parts(registry):
    await registry.upload(LAYER)
    await registry.upload(b"{}")


def code_of(answered) -> tuple[int, str]:
    return answered.status, json.loads(answered.content_read)["errors"][0]["code"]


async def test_an_image_is_pushed_and_pulled_whole(registry, sandbox, image_parts):
    body = image()
    pushed = await registry.push("v1", body)
    assert pushed.status == 201
    assert pushed.headers["Docker-Content-Digest"] == digest_of(body)
    assert sandbox.state.tag_names("example", "web") == ["v1"]
    pulled = await registry.ask("GET", "/v2/example/web/manifests/v1", Accept=OCI)
    assert (pulled.content_type, pulled.content_read) == (OCI, body)
    layer = await registry.ask("GET", f"/v2/example/web/blobs/{digest_of(LAYER)}")
    assert layer.content_read == LAYER
    size = len(LAYER) + len(b"{}") + len(body)
    assert sandbox.state.registry("example").storage_bytes == size


async def test_a_blob_is_pushed_in_pieces(registry):
    begun = await registry.ask("POST", "/v2/example/web/blobs/uploads/")
    where = begun.headers["Location"]
    first = await registry.ask("PATCH", where, LAYER[:100], Content_Range="0-99")
    assert (first.status, first.headers["Range"]) == (202, "0-99")
    wrong = await registry.ask("PATCH", where, LAYER[500:], Content_Range="500-1499")
    assert (wrong.status, wrong.headers["Range"]) == (416, "0-99")
    shown = await registry.ask("GET", where)
    assert (shown.status, shown.headers["Range"]) == (204, "0-99")
    done = await registry.ask("PUT", f"{where}?digest={digest_of(LAYER)}", LAYER[100:])
    assert done.status == 201
    found = await registry.ask("HEAD", done.headers["Location"])
    assert (found.status, found.content_length) == (200, len(LAYER))
    assert code_of(await registry.ask("GET", where)) == (404, "BLOB_UPLOAD_UNKNOWN")


async def test_a_blob_is_pushed_by_one_request(registry):
    path = f"/v2/example/web/blobs/uploads/?digest={digest_of(LAYER)}"
    assert (await registry.ask("POST", path, LAYER)).status == 201


async def test_a_blob_larger_than_a_mebibyte_is_taken(registry):
    await registry.upload(bytes(3 * 2**20))


async def test_an_upload_is_cancelled(registry):
    begun = await registry.ask("POST", "/v2/example/web/blobs/uploads/")
    assert (await registry.ask("DELETE", begun.headers["Location"])).status == 204
    gone = await registry.ask("PATCH", begun.headers["Location"], b"x")
    assert code_of(gone) == (404, "BLOB_UPLOAD_UNKNOWN")


async def test_an_upload_belongs_to_its_repository(registry):
    begun = await registry.ask("POST", "/v2/example/web/blobs/uploads/")
    elsewhere = begun.headers["Location"].replace("/web/", "/api/")
    assert code_of(await registry.ask("PATCH", elsewhere, b"x")) == (404, "BLOB_UPLOAD_UNKNOWN")


async def test_a_blob_is_mounted_from_another_repository(registry, session, sandbox):
    await registry.upload(LAYER)
    digest = digest_of(LAYER)
    scopes = "repository:example/api:pull,push repository:example/web:pull"
    url = URL(f"{sandbox.url}/v2/registry/auth").with_query(scope=scopes)
    async with session.get(url, headers=registry.basic) as granted:
        token = (await granted.json())["token"]
    path = f"/v2/example/api/blobs/uploads/?mount={digest}&from=example/web"
    assert (await registry.ask("POST", path, token=token)).status == 201
    assert (await registry.ask("HEAD", f"/v2/example/api/blobs/{digest}")).status == 200


async def test_a_mount_without_the_right_to_pull_is_challenged_for_both(registry, session, sandbox):
    await registry.upload(LAYER)
    scopes = "repository:example/api:pull,push"
    url = URL(f"{sandbox.url}/v2/registry/auth").with_query(scope=scopes)
    async with session.get(url, headers=registry.basic) as granted:
        token = (await granted.json())["token"]
    path = f"/v2/example/api/blobs/uploads/?mount={digest_of(LAYER)}&from=example/web"
    refused = await registry.ask("POST", path, token=token)
    assert refused.status == 401
    challenge = refused.headers["Www-Authenticate"]
    assert 'scope="repository:example/api:pull,push repository:example/web:pull"' in challenge
    assert "insufficient_scope" in challenge


async def test_a_mount_of_what_the_source_lacks_begins_an_upload(registry):
    await registry.upload(LAYER, name="example/web")
    path = f"/v2/example/web/blobs/uploads/?mount={digest_of(b'none')}&from=example/web"
    begun = await registry.ask("POST", path)
    assert begun.status == 202
    assert begun.headers["Docker-Upload-UUID"]


@pytest.mark.parametrize(
    ("reference", "body", "answer"),
    [
        ("v1", b"{", (400, "MANIFEST_INVALID")),
        ("v1", b"[]", (400, "MANIFEST_INVALID")),
        ("v1", b"[" * 100_000, (400, "MANIFEST_INVALID")),
        ("v1", image(mediaType=INDEX), (400, "MANIFEST_INVALID")),
        ("v1", image(layers=[{"digest": "x", "size": 1}]), (400, "MANIFEST_INVALID")),
        ("v1", image(config={**described(b"{}"), "size": "2"}), (400, "MANIFEST_INVALID")),
        ("v1", image(fsLayers=[]), (400, "MANIFEST_INVALID")),
        ("v1", image(layers=[described(b"never sent")]), (400, "MANIFEST_BLOB_UNKNOWN")),
        ("v1", image(manifests=[described(b"never sent", OCI)]), (400, "MANIFEST_BLOB_UNKNOWN")),
        (digest_of(b"other"), image(), (400, "DIGEST_INVALID")),
        ("-v1", image(), (400, "DIGEST_INVALID")),
        ("v1", image(annotations={"x": "x" * 4 * 2**20}), (413, "SIZE_INVALID")),
    ],
)
async def test_a_manifest_that_cannot_be_is_refused(
    registry, sandbox, image_parts, reference, body, answer
):
    assert code_of(await registry.push(reference, body)) == answer
    assert not sandbox.state.registry("example").repositories


async def test_a_manifest_without_its_media_type_has_that_of_its_request(registry, image_parts):
    document = json.loads(image())
    del document["mediaType"]
    assert (await registry.push("v1", json.dumps(document).encode())).status == 201
    assert (await registry.ask("GET", "/v2/example/web/manifests/v1")).content_type == OCI


async def test_an_index_is_pushed_after_its_children(registry, sandbox, image_parts):
    body = image()
    index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [described(body, OCI)]}
    data = json.dumps(index).encode()
    assert (await registry.push("v1", data, kind=INDEX)).status == 400
    assert (await registry.push(digest_of(body), body)).status == 201
    assert (await registry.push("v1", data, kind=INDEX)).status == 201
    assert sandbox.state.tag_names("example", "web") == ["v1"]


async def test_an_index_of_blobs_keeps_them(registry, sandbox):
    await registry.upload(LAYER)
    entry = described(LAYER, "application/vnd.oci.image.layer.v1.tar+gzip")
    cache = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]}
    assert (await registry.push("cache", json.dumps(cache).encode(), kind=INDEX)).status == 201
    sandbox.state.phases = Phases(*[0.0] * 6)
    sandbox.state.start_collection("example")
    kept = await registry.ask("HEAD", f"/v2/example/web/blobs/{digest_of(LAYER)}")
    assert kept.status == 200


async def test_tags_are_listed_in_pages(registry, sandbox):
    for number in range(5):
        sandbox.state.push("example", "web", [f"v{number}"])
    assert await registry.json("/v2/example/web/tags/list") == {
        "name": "example/web",
        "tags": ["v0", "v1", "v2", "v3", "v4"],
    }
    path, seen = "/v2/example/web/tags/list?n=2", []
    while path:
        answered = await registry.ask("GET", path)
        seen.append(json.loads(answered.content_read)["tags"])
        link = re.match(r'<(.+)>; rel="next"', answered.headers.get("Link", ""))
        path = link[1] if link else None
    assert seen == [["v0", "v1"], ["v2", "v3"], ["v4"]]


async def test_a_page_of_nothing_has_no_next(registry, sandbox):
    sandbox.state.push("example", "web", ["v1"])
    answered = await registry.ask("GET", "/v2/example/web/tags/list?n=0")
    assert json.loads(answered.content_read)["tags"] == []
    assert "Link" not in answered.headers
    wrong = await registry.ask("GET", "/v2/example/web/tags/list?n=x")
    assert code_of(wrong) == (400, "PAGINATION_NUMBER_INVALID")


async def test_the_tags_of_no_repository_are_unknown(registry):
    assert code_of(await registry.ask("GET", "/v2/example/web/tags/list")) == (404, "NAME_UNKNOWN")


async def test_the_catalog_lists_the_registry_of_the_credentials(registry, sandbox):
    sandbox.state.add_registry("second")
    for name, repository in (("example", "web"), ("example", "a/b"), ("second", "x")):
        sandbox.state.push(name, repository, ["v1"])
    assert await registry.json("/v2/_catalog") == {"repositories": ["example/a/b", "example/web"]}
    answered = await registry.ask("GET", "/v2/_catalog?n=1")
    assert answered.headers["Link"].endswith('?last=example%2Fa%2Fb&n=1>; rel="next"')


async def test_referrers_are_listed_by_their_subject(registry, sandbox):
    subject = sandbox.state.push("example", "web", ["v1"])
    digests = [
        sandbox.state.push_document(
            "example",
            "web",
            {"mediaType": OCI, "artifactType": kind, "subject": {"digest": subject}},
        )
        for kind in ("signature", "sbom")
    ]
    found = await registry.json(f"/v2/example/web/referrers/{subject}")
    assert {each["digest"]: each["artifactType"] for each in found["manifests"]} == dict(
        zip(digests, ("signature", "sbom"), strict=True)
    )
    answered = await registry.ask("GET", f"/v2/example/web/referrers/{subject}?artifactType=sbom")
    assert answered.headers["OCI-Filters-Applied"] == "artifactType"
    (only,) = json.loads(answered.content_read)["manifests"]
    assert only["digest"] == digests[1]
    assert answered.content_type == INDEX


async def test_a_subject_without_referrers_has_an_empty_list(registry, sandbox):
    sandbox.state.push("example", "web", ["v1"])
    found = await registry.json(f"/v2/example/web/referrers/{digest_of(b'none')}")
    assert found["manifests"] == []


async def test_the_subject_of_a_pushed_manifest_is_confirmed(registry, image_parts):
    subject = described(b"somewhere", OCI)
    pushed = await registry.push("sig", image(subject=subject))
    assert pushed.headers["OCI-Subject"] == subject["digest"]


async def test_credentials_that_only_read_cannot_push(session, sandbox):
    registry = Registry(session, sandbox, sandbox.state.issue_credentials("example").secret)
    refused = await registry.ask("POST", "/v2/example/web/blobs/uploads/")
    assert refused.status == 401
    assert 'error="insufficient_scope"' in refused.headers["WWW-Authenticate"]
    assert 'scope="repository:example/web:pull,push"' in refused.headers["WWW-Authenticate"]


async def test_nothing_is_pushed_while_a_collection_runs(registry, sandbox, image_parts):
    url = URL(f"{sandbox.url}/v2/example/web/manifests/v1")
    token = await registry.token("PUT", url)
    sandbox.state.phases = Phases(requested=600.0)
    sandbox.state.start_collection("example")
    path = "/v2/example/web/manifests/v1"
    assert (await registry.ask("PUT", path, image(), token, Content_Type=OCI)).status == 401


async def test_a_collection_frees_what_was_pushed_and_is_not_needed(registry, sandbox):
    await registry.upload(LAYER)
    sandbox.state.phases = Phases(*[0.0] * 6)
    sandbox.state.start_collection("example")
    assert sandbox.state.registry("example").storage_bytes == 0
    gone = await registry.ask("HEAD", f"/v2/example/web/blobs/{digest_of(LAYER)}")
    assert gone.status == 404


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({"grant_type": "password", "username": "SECRET", "password": "SECRET"}, 200),
        ({"grant_type": "refresh_token", "refresh_token": "SECRET"}, 200),
        ({"grant_type": "password", "username": "SECRET", "password": "x"}, 401),
        ({"grant_type": "client_credentials", "password": "SECRET"}, 401),
        ({}, 401),
    ],
)
async def test_a_token_is_also_got_by_post(session, sandbox, form, status):
    sandbox.state.push("example", "web", ["v1"])
    secret = sandbox.state.issue_credentials("example").secret
    data = {name: value.replace("SECRET", secret) for name, value in form.items()}
    data |= {"service": "registry.digitalocean.com", "scope": "repository:example/web:pull"}
    async with session.post(f"{sandbox.url}/v2/registry/auth", data=data) as answered:
        assert answered.status == status
        if status != 200:
            assert (await answered.json())["errors"][0]["code"] == "UNAUTHORIZED"
            return
        granted = await answered.json()
    headers = {"Authorization": f"Bearer {granted['access_token']}"}
    async with session.get(f"{sandbox.url}/v2/example/web/tags/list", headers=headers) as listed:
        assert listed.status == 200
        assert listed.headers["Docker-Distribution-Api-Version"] == "registry/2.0"


async def test_a_fault_has_the_protocols_form(registry, sandbox):
    sandbox.state.push("example", "web", ["v1"])
    sandbox.faults = Faults(Fault(kind="status", status=503, route="*/tags/list", skip=1))
    assert code_of(await registry.ask("GET", "/v2/example/web/tags/list")) == (503, "UNKNOWN")


async def test_what_was_pushed_survives_in_a_file(registry, sandbox, image_parts):
    await registry.push("v1", image())
    sandbox.state = state_from_json(state_to_json(sandbox.state))
    secret = sandbox.state.issue_credentials("example").secret
    registry = Registry(registry.session, sandbox, secret)
    layer = await registry.ask("GET", f"/v2/example/web/blobs/{digest_of(LAYER)}")
    assert layer.content_read == LAYER


@pytest.mark.parametrize("of", ["push", "generated", "file"])
async def test_an_image_that_was_made_up_is_pulled_whole(session, of):
    state = generated_state(tags=4, repositories=1, registry="example")
    if of != "generated":
        state.push("example", "web", ["other"])
        state.push("example", "web", ["latest"], size=2000)
    (tag, *_) = state.tag_names("example", "web")
    if of == "file":
        state = state_from_json(state_to_json(state))
    async with Sandbox(state) as sandbox:
        registry = Registry(session, sandbox, state.issue_credentials("example").secret)
        pulled = await registry.ask("GET", f"/v2/example/web/manifests/{tag}")
        document = json.loads(pulled.content_read)
        # Of those that are generated, the first layers are large.
        for part in (document["config"], document["layers"][-1]):
            blob = await registry.ask("GET", f"/v2/example/web/blobs/{part['digest']}")
            assert digest_of(blob.content_read) == part["digest"]
            assert len(blob.content_read) == part["size"]
            if part is not document["config"]:
                with tarfile.open(fileobj=io.BytesIO(blob.content_read)) as archive:
                    assert archive.getnames() == []


@pytest.mark.parametrize("size", [0, 1, 31, 64 * 2**20 + 1, 2**50])
def test_layers_that_cannot_be_made_up_differ_all_the_same(sandbox, size):
    digests = {sandbox.state.push("example", "web", size=size) for _ in range(20)}
    assert len(digests) == 20


async def test_an_image_that_was_made_with_content_is_pulled_whole(registry, sandbox):
    sandbox.state.push("example", "web", ["v1"], content=LAYER)
    pulled = await registry.ask("GET", "/v2/example/web/manifests/v1")
    document = json.loads(pulled.content_read)
    for part in (document["config"], *document["layers"]):
        blob = await registry.ask("GET", f"/v2/example/web/blobs/{part['digest']}")
        assert digest_of(blob.content_read) == part["digest"]
        assert len(blob.content_read) == part["size"]


@pytest.mark.parametrize("form", ["oci", "v2s2"])
async def test_skopeo_logs_in_pushes_lists_copies_and_pulls(sandbox, tmp_path, form):
    if shutil.which("skopeo") is None:
        pytest.skip("needs skopeo: apt-get install skopeo")
    store = Store()
    pushed = store.image("a", [store.layer("a", 3_000_000), store.layer("b")])
    layout = tmp_path / "layout"
    (layout / "blobs/sha256").mkdir(parents=True)
    for digest, content in store.contents.items():
        (layout / "blobs/sha256" / digest[7:]).write_bytes(content)
    (layout / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    named = {**pushed, "annotations": {"org.opencontainers.image.ref.name": "v1"}}
    (layout / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [named]}))
    secret = sandbox.state.issue_credentials("example", read_write=True).secret
    host = sandbox.url[7:]
    web, api = (f"docker://{host}/example/{name}" for name in ("web", "api"))
    login = f"--authfile={tmp_path / 'auth.json'}"
    insecure = ("--src-tls-verify=false", "--dest-tls-verify=false")
    copy = ("skopeo", "--insecure-policy", "copy", login, *insecure)
    for command in (
        ("skopeo", "login", login, "--tls-verify=false", "-u", secret, "-p", secret, host),
        (*copy, "--format", form, f"oci:{layout}:v1", f"{web}:v1"),
        ("skopeo", "list-tags", login, "--tls-verify=false", web),
        ("skopeo", "inspect", login, "--tls-verify=false", f"{web}:v1"),
        (*copy, f"{web}:v1", f"{api}:v1"),
        (*copy, f"{api}:v1", f"dir:{tmp_path / 'pulled'}"),
    ):
        code, output = await execute(*command)
        assert code == 0, output
    pulled = {digest_of(path.read_bytes()) for path in (tmp_path / "pulled").iterdir()}
    layers = json.loads(store.contents[pushed["digest"]])["layers"]
    assert {layer["digest"] for layer in layers} <= pulled


# The endpoints of the OCI distribution specification 1.1 by their numbers, and the statuses of
# success. A registry that has not enabled deletes (end-9, end-10) refuses them with 405.
ENDPOINTS = [
    ("end-1", "GET", "/v2/", 200),
    ("end-2", "GET", "/v2/example/web/blobs/LAYER", 200),
    ("end-2", "HEAD", "/v2/example/web/blobs/LAYER", 200),
    ("end-3", "GET", "/v2/example/web/manifests/v1", 200),
    ("end-3", "HEAD", "/v2/example/web/manifests/MANIFEST", 200),
    ("end-4a", "POST", "/v2/example/web/blobs/uploads/", 202),
    ("end-4b", "POST", "/v2/example/web/blobs/uploads/?digest=LAYER", 201),
    ("end-5", "PATCH", "UPLOAD", 202),
    ("end-6", "PUT", "UPLOAD?digest=LAYER", 201),
    ("end-7", "PUT", "/v2/example/web/manifests/v1", 201),
    ("end-8a", "GET", "/v2/example/web/tags/list", 200),
    ("end-8b", "GET", "/v2/example/web/tags/list?n=1&last=v0", 200),
    ("end-9", "DELETE", "/v2/example/web/manifests/MANIFEST", 405),
    ("end-10", "DELETE", "/v2/example/web/blobs/LAYER", 405),
    ("end-11", "POST", "/v2/example/web/blobs/uploads/?mount=LAYER&from=example/web", 201),
    ("end-12a", "GET", "/v2/example/web/referrers/MANIFEST", 200),
    ("end-12b", "GET", "/v2/example/web/referrers/MANIFEST?artifactType=x", 200),
    ("end-13", "GET", "UPLOAD", 204),
]


@pytest.mark.parametrize(("number", "method", "path", "status"), ENDPOINTS)
async def test_each_endpoint_of_the_specification(
    registry, image_parts, number, method, path, status
):
    body = image()
    await registry.push("v1", body)
    begun = await registry.ask("POST", "/v2/example/web/blobs/uploads/")
    path = path.replace("UPLOAD", begun.headers["Location"])
    path = path.replace("LAYER", digest_of(LAYER)).replace("MANIFEST", digest_of(body))
    sent = body if "manifests" in path else LAYER
    data = sent if method in {"POST", "PUT", "PATCH"} else b""
    answered = await registry.ask(method, path, data, Content_Type=OCI)
    assert answered.status == status, answered.content_read
    if status == 201:
        assert answered.headers["Location"].startswith("/v2/example/web/")

"""The specification's requirements: each has its test; those that no other file has are here."""

import json
import re
from pathlib import Path

import pytest

import aioregistry.sandbox
from tests.sandbox.test_push import (
    CONFIG,
    INDEX,
    LAYER,
    OCI,
    code_of,
    described,
    digest_of,
    image,
    image_parts,
    registry,
)

__all__ = ["image_parts", "registry"]

TABLE = Path(aioregistry.sandbox.__file__).with_name("PROTOCOL.md")
LIMIT = 4 * 2**20


def rows() -> list[tuple[str, ...]]:
    lines = TABLE.read_text().splitlines()
    return [tuple(cell.strip() for cell in line.strip("|").split(" | "))
            for line in lines if line.startswith("| e")]  # fmt: skip


def test_each_requirement_is_held_by_a_test_or_said_not_to_be_served():
    written = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    numbers = [number for number, _, _ in rows()]
    assert len(numbers) == len(set(numbers)) > 30
    assert {f"end-{number}" for number in range(1, 15)} <= {
        re.sub("[ab]$", "", each) for number in numbers for each in number.split(", ")
    }
    for number, _, held_by in rows():
        if not held_by.startswith("not served"):
            assert f"def {held_by.strip('`')}(" in written, number


async def test_a_blob_of_nothing_has_its_length(registry):
    await registry.upload(b"")
    path = f"/v2/example/web/blobs/{digest_of(b'')}"
    for method in ("HEAD", "GET"):
        answered = await registry.ask(method, path)
        assert (answered.status, answered.headers["Content-Length"]) == (200, "0")


async def test_no_piece_of_a_blob_is_taken_out_of_order(registry):
    begun = await registry.ask("POST", "/v2/example/web/blobs/uploads/")
    where = begun.headers["Location"]
    await registry.ask("PATCH", where, LAYER[:100], Content_Range="0-99")
    last = f"{where}?digest={digest_of(LAYER)}"
    early = await registry.ask("PUT", last, LAYER[200:], Content_Range="200-1499")
    assert (early.status, early.headers["Range"]) == (416, "0-99")
    done = await registry.ask("PUT", last, LAYER[100:], Content_Range="100-1499")
    assert done.status == 201


@pytest.mark.parametrize("digest", [digest_of(b"other"), "sha512:" + "0" * 128, "none"])
async def test_a_digest_is_checked(registry, digest):
    begun = await registry.ask("POST", "/v2/example/web/blobs/uploads/")
    ended = await registry.ask("PUT", f"{begun.headers['Location']}?digest={digest}", LAYER)
    assert code_of(ended) == (400, "DIGEST_INVALID")


async def test_parameters_of_a_media_type_are_dropped(registry, image_parts):
    assert (await registry.push("v1", image(), kind=f"{OCI}; charset=utf-8")).status == 201
    pulled = await registry.ask("GET", "/v2/example/web/manifests/v1")
    assert pulled.headers["Content-Type"] == OCI


async def test_a_manifest_of_four_mebibytes_is_taken(registry, image_parts):
    spare = LIMIT - len(image(annotations={"x": ""}))
    body = image(annotations={"x": "x" * spare})
    assert len(body) == LIMIT
    assert (await registry.push("v1", body)).status == 201
    pulled = await registry.ask("GET", "/v2/example/web/manifests/v1")
    assert pulled.content_read == body


async def test_referrers_of_what_is_not_there_are_none(registry):
    path = f"/v2/example/none/referrers/{digest_of(b'none')}"
    answered = await registry.ask("GET", path)
    assert (answered.status, answered.content_type) == (200, INDEX)
    assert json.loads(answered.content_read)["manifests"] == []


async def test_referrers_of_what_is_no_digest_are_refused(registry):
    answered = await registry.ask("GET", "/v2/example/web/referrers/v1")
    assert code_of(answered) == (400, "DIGEST_INVALID")


async def test_a_referrer_is_described_by_its_kind_and_annotations(registry, image_parts):
    subject = described(b"somewhere", OCI)
    index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [], "subject": subject}
    bodies = {
        CONFIG: image(subject=subject, annotations={"a": "b"}),
        "own": image(subject=subject, artifactType="own"),
        None: json.dumps(index).encode(),
        "of-index": json.dumps({**index, "artifactType": "of-index"}).encode(),
    }
    for body in bodies.values():
        kind = json.loads(body)["mediaType"]
        assert (await registry.push(digest_of(body), body, kind=kind)).status == 201
    listed = await registry.json(f"/v2/example/web/referrers/{subject['digest']}")
    found = {each["digest"]: each for each in listed["manifests"]}
    assert {kind: found[digest_of(body)].get("artifactType") for kind, body in bodies.items()} == {
        kind: kind for kind in bodies
    }
    assert found[digest_of(bodies[CONFIG])]["annotations"] == {"a": "b"}

"""Readers of what a clean-up goes by: policies, plans, journals, manifests, and what is in use."""

import json
import re
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import cache, partial

import msgspec

from aioregistry.api.names import check_digest, check_registry, check_repository, check_tag
from aioregistry.cleanup.in_use.files import read_in_use
from aioregistry.cleanup.in_use.references import InUse, InUseError
from aioregistry.cleanup.manifests.content import (
    UnreadableContentError,
    parse_content,
    subject_of_tag,
)
from aioregistry.cleanup.plan.file import PlanFileError
from aioregistry.cleanup.plan.items import Condemned, FreedBytes, Kept, RepositoryPlan
from aioregistry.cleanup.plan.plan import Plan
from aioregistry.cleanup.policy.durations import format_duration, parse_duration
from aioregistry.cleanup.policy.file import PolicyFileError, load_policy
from aioregistry.cleanup.policy.patterns import Glob, Regex
from aioregistry.cleanup.policy.releases import Release
from aioregistry.cleanup.policy.rule import PushedTag, UntaggedManifest
from aioregistry.cleanup.records.journal import Journal, JournalError
from aioregistry.cleanup.records.store import FileStore
from aioregistry.cli.settings.settings import whole_seconds
from tests.fuzzing.readers.reader import Reader, file_of, is_sound, text_of

A, B, C = ("sha256:" + letter * 64 for letter in "abc")
_NOW = datetime(2026, 6, 1, tzinfo=UTC)
TAGS = [
    PushedTag(name, None if name == "v9" else _NOW - timedelta(days=age))
    for age, name in enumerate(("latest", "v1.0.0", "v1.0.1", "main-1", "main-2", "v9", "a" * 128))
]
PLAN = Plan(
    registry="example",
    made_at=_NOW,
    floor=1,
    repositories=(
        RepositoryPlan(
            name="web",
            tags=4,
            manifests=3,
            condemned=(
                Condemned(
                    delete="manifest",
                    reason="older than 30d",
                    tags=("v1", "v2"),
                    digest=A,
                    pushed_at=_NOW,
                    size_bytes=5,
                ),
                Condemned(delete="tag", reason="older than 30d", tags=("v3",), digest=B),
            ),
            kept=(Kept("it matches *", ("v4",), (C,)),),
        ),
        RepositoryPlan(
            name="my/api", tags=0, manifests=1, condemned=(Condemned(delete="manifest", digest=A),)
        ),
    ),
    frees=FreedBytes(bytes=5),
)
ITEMS = list(PLAN.condemned)


def read_policy(ending: str, document: bytes) -> None:
    """A policy that is understood decides on any tags, in words that can be written."""
    with file_of(document, ending) as path:
        policy = load_policy(path)
    assert policy.rules
    assert policy.floor >= 0
    decisions = policy.decide_tags("web", TAGS, _NOW)
    untagged = UntaggedManifest(A, _NOW - timedelta(days=400))
    decisions.append(policy.decide_untagged("web", [untagged], _NOW)[A])
    assert all(is_sound(decision.reason) for decision in decisions)
    assert sum(decision.keep for decision in decisions[:-1]) >= min(policy.floor, len(TAGS))
    # Without a rule that deletes, nothing goes.
    assert policy.may_delete("web") or all(decision.keep for decision in decisions)


def read_duration(document: bytes) -> None:
    """A length of time is finite and not negative, and is written as it is read."""
    text = text_of(document)
    length = parse_duration(text)
    assert re.fullmatch(r"([0-9]+[wdhms])+", text, re.ASCII)
    assert timedelta() <= length <= timedelta.max
    assert parse_duration(format_duration(length)) == length
    with suppress(ValueError):
        assert whole_seconds(text) == length.total_seconds() > 0


def read_pattern(document: bytes) -> None:
    """A pattern matches names, and a literal one only its own."""
    text = text_of(document)
    made = [pattern for kind in (Glob, Regex) if (pattern := _made(kind, text)) is not None]
    for pattern in made:
        for name in ("web", "my/api", "a" * 255, "a-" * 120, text):
            matched = pattern.matches(name)
            assert pattern.literal is None or matched == (name == pattern.literal)
    if not made:
        raise ValueError("no pattern")


def _made(kind: type[Glob] | type[Regex], text: str) -> Glob | Regex | None:
    try:
        return kind(text)
    except ValueError as error:
        assert type(error) is ValueError  # noqa: PT017  (and none of its kinds)
        return None


def read_plan(document: bytes) -> None:
    """A plan that is understood names what can be deleted, and is written as it is read."""
    plan = Plan.from_json(document)
    check_registry(plan.registry)
    for repository, item in plan.condemned:
        check_repository(repository)
        check_digest(item.digest)
        for tag in item.tags:
            check_tag(tag)
        assert item.delete in {"manifest", "tag"}
        assert item.name in {item.digest, *item.tags}
        assert item.size_bytes is None or item.size_bytes >= 0
    json.loads(document, object_pairs_hook=_each_once)
    assert plan.floor >= 0
    assert plan.requests >= 0
    assert plan.seconds >= 0
    written = plan.to_json()
    again = Plan.from_json(written)
    assert again == plan
    assert again.id == plan.id
    assert again.to_json() == written


def _each_once(pairs: list[tuple[str, object]]) -> None:
    # What is said twice of one repository may be meant for two.
    assert len(dict(pairs)) == len(pairs)


def read_plan_text(document: bytes) -> None:
    """The same of a text."""
    Plan.from_json(text_of(document))


_STATES = {"begun", "deleted", "absent", "drift", "failed", "unknown", "not_attempted"}


def read_journal(document: bytes) -> None:
    """A journal is taken up at its last whole line, or refused and left as it is."""
    document = document.replace(b"{plan}", PLAN.id.encode())
    for resume in (True, False):
        with file_of(document) as path:
            journal = Journal(path, PLAN, resume=resume)
            try:
                store = FileStore.at(path)
                store.close(store.open_now(journal.kind()))
            except JournalError:
                assert path.read_bytes() == document
                if resume:
                    raise
                continue
            left = path.read_bytes()
            begun = left.startswith(document) and document.count(b"\n") <= 1
            assert begun or (resume and document.startswith(left))
            # The last line of each item counts.
            told = {}
            head, *lines = left.split(b"\n")[:-1]
            # The head may have been written twice.
            for line in (one for one in lines if one != head):
                said = json.loads(line.decode(errors="replace"))
                told[said["repository"], said["delete"], said["name"]] = said["state"]
            assert set(told.values()) <= _STATES
            for repository, item in ITEMS:
                past = journal.past(repository, item)
                state = told.get((repository, item.delete, item.name))
                assert state == (past and past.state)


def read_manifest(document: bytes) -> None:
    """What a manifest needs is found, whatever the registry calls it."""
    understood = 0
    for media_type in (
        None,
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.oci.image.manifest.v1+json; charset=utf-8",
        "text/plain",
    ):
        with suppress(UnreadableContentError):
            content = parse_content(document, media_type)
            understood += 1
            for digest in (*content.children, *filter(None, [content.subject])):
                assert check_digest(digest) is digest
                assert digest.encode() in document or b"\\u" in document
            assert content.size == len(document)
            json.loads(document, object_pairs_hook=_each_once)
    if not understood:
        raise UnreadableContentError("nobody can be sure of it")


def read_tag(document: bytes) -> None:
    """A tag's name says which image it speaks of, or which release it is, or nothing."""
    text = text_of(document)
    subject = subject_of_tag(text)
    assert subject is None or check_digest(subject)[7:] in text
    release = Release.parse(text)
    if release is not None:
        version = (release.major, release.minor, release.patch)
        assert all(str(number) in text for number in version)


def _read_each(text: str) -> None:
    """Read documents of JSON that follow each other, in none of which a key stands twice."""
    decoder = json.JSONDecoder(object_pairs_hook=_each_once)
    while text := text.lstrip(" \t\r\n"):
        _, end = decoder.raw_decode(text)
        text = text[end:]


def read_uses(document: bytes) -> None:
    """Every image in a list that is understood is held, with a place that can be written."""
    text = text_of(document)
    uses = read_in_use(text, "running.json")
    if text.lstrip("\ufeff \t\r\n").startswith(("{", "[")):
        _read_each(text.lstrip("\ufeff"))
    held = InUse(uses)
    tags, digests = (
        cache(partial(held.tags_of, "example")),
        cache(partial(held.digests_of, "example")),
    )
    for use in uses:
        assert is_sound(use.where)
        assert len(use.where) < 1000
        path = use.reference.path
        if use.reference.digest is not None:
            assert use.reference.digest in digests(path or "web")
        else:
            assert (use.reference.tag or "latest") in tags(path)


def _lines(*documents: dict[str, object]) -> bytes:
    return b"".join(msgspec.json.encode(document) + b"\n" for document in documents)


def _line(nth: int, state: str) -> dict[str, object]:
    repository, item = ITEMS[nth]
    line = {"at": "2026-06-01T00:00:00.000Z", "repository": repository, "delete": item.delete}
    return line | {"name": item.name, "state": state}


HEAD = {"format": "aioregistry cleanup journal", "plan": PLAN.id, "version": 1}
JOURNAL = _lines(
    HEAD,
    _line(0, "begun"),
    _line(0, "deleted") | {"reason": "it was there"},
    _line(1, "begun"),
    _line(1, "failed"),
    _line(2, "absent"),
)
_TOML = b"""floor = 2

[[rules]]
keep-newest = 5
tags = "main-*"
group-by = "([a-z]+)-[0-9]+"

[[rules]]
keep-within = "1w2d"  # a while
repositories-regex = "(web|my/.*)"

[[rules]]
keep-releases = 3
per = "major"

[[rules]]
delete-older-than = "90d"
including-protected = true
name = "old ones"

[[rules]]
delete-untagged-older-than = "2d"
"""
_YAML = b"""floor: 2
rules:
  - keep: true
    tags: main
  - {keep-newest: 5, tags: "main-*", name: &n newest}
  - delete-older-than: 90d
    name: *n
    including-protected: false
    tags-regex: 'v[0-9]+'
  - keep-releases: 0x2
    per: minor
"""
_JSON = b"""{"floor": 1,
 "rules": [
  {"keep": true, "tags": "latest", "name": "first"},
  {"keep-newest": 10, "group-by": "([a-z]+).*", "repositories": "web"},
  {"keep-releases": 2, "per": "minor"},
  {"delete": true, "tags-regex": "pr-[0-9]+"},
  {"delete-untagged-older-than": "1d"}
 ]}"""
_POD = {
    "kind": "Pod",
    "metadata": {"namespace": "default", "name": "web-1"},
    "spec": {"containers": [{"image": "registry.digitalocean.com/example/web:v1"}]},
    "status": {
        "containerStatuses": [
            {"image": "example/web:v1", "imageID": f"docker-pullable://example/web@{A}"}
        ]
    },
}
_PLATFORM = {"architecture": "amd64", "os": "linux"}
_LAYER = {"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "size": 5, "digest": C}


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


READERS = (
    *(
        Reader(f"policy-{ending}", partial(read_policy, f".{ending}"), (PolicyFileError,), samples)
        for ending, samples in (("toml", (_TOML,)), ("yaml", (_YAML, _JSON)), ("json", (_JSON,)))
    ),
    Reader("durations", read_duration, (ValueError,), (b"30d", b"1w2d3h4m5s", b"90s", b"0s")),
    Reader(
        "patterns",
        read_pattern,
        (ValueError,),
        (
            b"main-*",
            b"v[0-9]?*",
            b"[!a-c]*x*y",
            b"(web|my/.*)-v(?P<n>[0-9]{1,3})+",
            b"[[:alpha:]-]",
        ),
    ),
    Reader("plan", read_plan, (PlanFileError,), (PLAN.to_json().encode(),)),
    Reader("plan-text", read_plan_text, (PlanFileError,), (PLAN.to_json().encode(),)),
    Reader("journal", read_journal, (JournalError,), (JOURNAL, _lines(HEAD))),
    Reader(
        "manifests",
        read_manifest,
        (UnreadableContentError,),
        (
            _json(
                {
                    "schemaVersion": 2,
                    "mediaType": "application/vnd.oci.image.index.v1+json",
                    "manifests": [
                        {"digest": A, "size": 5, "platform": _PLATFORM},
                        {"digest": B, "size": 5, "platform": _PLATFORM},
                    ],
                }
            ),
            _json({"schemaVersion": 2, "config": _LAYER, "layers": [_LAYER], "subject": _LAYER}),
            _json({"mediaType": "application/x", "things": {"of": [{"digest": A}]}}),
        ),
    ),
    Reader(
        "tags", read_tag, (), (f"sha256-{'a' * 64}.sig".encode(), b"v1.2.3", b"10.0.18446744073709")
    ),
    Reader(
        "in-use",
        read_uses,
        (InUseError,),
        (
            _json({"kind": "List", "items": [_POD, _POD | {"kind": "ReplicaSet"}]}),
            _json([_POD]),
            b"# what runs\nexample/web:v1\ndocker://localhost:5000/web:v2  # here\nweb@"
            + A.encode(),
        ),
    ),
)

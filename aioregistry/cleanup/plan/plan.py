"""A plan: what is to be deleted and why, pinned to digests, as a file that people can read."""

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from attrs import evolve, field, frozen

from aioregistry.api import names
from aioregistry.api.models import Time
from aioregistry.cleanup.manifests.content import subject_of_tag
from aioregistry.cleanup.policy.documents import DocumentError, without_duplicates
from aioregistry.errors import InvalidNameError, RegistryError
from aioregistry.ratelimit.limits import RateLimit
from aioregistry.ratelimit.windows import RollingWindow, seconds_for

__all__ = [
    "Condemned",
    "FreedBytes",
    "Kept",
    "LeftAlone",
    "Plan",
    "PlanFileError",
    "RepositoryPlan",
    "listings_for",
]

_Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]

FORMAT = "aioregistry cleanup plan"
VERSION = 1
_PER_PAGE = 200
_LEAST_BATCH = 100


class PlanFileError(RegistryError, ValueError):
    """A plan file cannot be used; the message says where and why."""


@frozen(kw_only=True)
class Condemned:
    """One DELETE of a plan.

    Attributes:
        delete: ``manifest``: the manifest goes, and all of its tags with it; ``tag``: one tag
            goes, its manifest stays.
        digest: The manifest, or the manifest that the tag is on.
        tags: All tags of the manifest, none for an untagged one; or the one tag.
        reason: Why, in words.
        pushed_at: When the manifest was pushed.
        size_bytes: Its compressed size, of which other manifests may share a part.
    """

    delete: Literal["manifest", "tag"]
    digest: str
    tags: tuple[str, ...] = ()
    reason: str = ""
    pushed_at: Time | None = None
    size_bytes: int | None = None

    @property
    def name(self) -> str:
        """What the DELETE names: the digest, or the tag."""
        return self.digest if self.delete == "manifest" else self.tags[0]


@frozen
class Kept:
    """What stays for one reason: tags, and untagged manifests by digest."""

    reason: str
    tags: tuple[str, ...] = ()
    untagged: tuple[str, ...] = ()


@frozen(kw_only=True)
class RepositoryPlan:
    """What happens to one repository.

    Attributes:
        name: The repository's name.
        tags: How many tags it has now, without those of signatures.
        manifests: How many manifests it has now.
        condemned: What goes, in an order in which nothing goes before what needs it.
        kept: What stays, by reason.
    """

    name: str
    tags: _Count
    manifests: _Count
    condemned: tuple[Condemned, ...] = ()
    kept: tuple[Kept, ...] = ()

    @property
    def tags_going(self) -> int:
        """How many of its tags go, without those of signatures."""
        tags = (tag for item in self.condemned for tag in item.tags)
        return sum(subject_of_tag(tag) is None for tag in tags)


@frozen
class LeftAlone:
    """A repository of which nothing is deleted, and why."""

    repository: str
    reason: str


@frozen(kw_only=True)
class FreedBytes:
    """What a garbage collection frees after a plan was carried out: blobs that nothing else has.

    Attributes:
        bytes: Compressed bytes.
        at_least: Whether it may be more, because sizes are unknown.
        at_most: Whether it may be less, because repositories that could not be listed may share
            some of it.
    """

    bytes: int = 0
    at_least: bool = False
    at_most: bool = False

    def __str__(self) -> str:
        bounds = {
            (False, False): "",
            (True, False): "at least ",
            (False, True): "at most ",
            (True, True): "about ",
        }
        return f"{bounds[self.at_least, self.at_most]}{self.bytes:,} bytes"


@frozen(kw_only=True)
class Plan:
    """A clean-up of a registry, decided and not yet done.

    Attributes:
        registry: The registry's name.
        made_at: When it was made; ages are counted up to then.
        floor: With how many tags at least the policy leaves a repository.
        repositories: The repositories that were looked at.
        left_alone: Those of which nothing is deleted although the policy speaks of them.
        frees: The bytes that it frees.
    """

    registry: str
    made_at: Time
    floor: _Count = 0
    repositories: tuple[RepositoryPlan, ...] = ()
    left_alone: tuple[LeftAlone, ...] = ()
    frees: FreedBytes = field(factory=FreedBytes)

    @property
    def condemned(self) -> Iterator[tuple[str, Condemned]]:
        """Every DELETE, with the name of its repository."""
        return ((repo.name, item) for repo in self.repositories for item in repo.condemned)

    @cached_property
    def requests(self) -> int:
        """How many requests it takes: the DELETEs, and the listings that look again before them."""
        return sum(
            len(repository.condemned)
            + listings_for(len(repository.condemned), repository.manifests)
            * _pages(repository.manifests)
            for repository in self.repositories
            if repository.condemned
        )

    @cached_property
    def seconds(self) -> float:
        """How long these requests take at the API's limit, when nothing was sent before."""
        limit = RateLimit()
        windows = [RollingWindow(most, period) for most, period in limit.windows]
        return seconds_for(self.requests, windows, limit.burst, 0.0)

    @cached_property
    def id(self) -> str:
        """What sets this plan apart: a SHA-256 over all that it says."""
        return sha256(_written(self).encode()).hexdigest()

    def to_json(self) -> str:
        """Return it as JSON: a line for each thing that goes or stays, and a summary on top."""
        return _written(self, _summary(self))

    @classmethod
    def from_json(cls, text: str | bytes) -> "Plan":
        """Return the plan that `to_json` wrote, perhaps with lines taken out by hand.

        Raises:
            PlanFileError: It is none, of another version, or was changed beyond sense.
        """
        try:
            document = msgspec.json.decode(text, type=_Document)
        except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
            raise PlanFileError(f"not a plan: {error}") from None
        if document.format != FORMAT:
            raise PlanFileError("not a plan of a clean-up")
        if document.version != VERSION:
            raise PlanFileError(
                f"the plan is of version {document.version}, this program reads {VERSION}: "
                "make a new one"
            )
        _check(document.plan)
        try:
            json.loads(text, object_pairs_hook=_unmixed)
        except (ValueError, RecursionError) as error:
            raise PlanFileError(f"not a plan: {error}") from None
        return document.plan

    def save(self, path: Path) -> None:
        """Write it to a file.

        Raises:
            OSError: That is not possible.
        """
        path.write_text(self.to_json(), encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> "Plan":
        """Read it from a file.

        Raises:
            PlanFileError: It holds no plan that can be used.
            OSError: It cannot be read.
        """
        try:
            return cls.from_json(path.read_bytes())
        except PlanFileError as error:
            raise PlanFileError(f"{path}: {error.message}") from None

    def without(self, *repositories: str) -> "Plan":
        """Return it without some repositories."""
        left = tuple(repo for repo in self.repositories if repo.name not in repositories)
        return evolve(self, repositories=left)


def listings_for(deletes: int, manifests: int) -> int:
    """Return how often a repository is listed while so much of it is deleted.

    Before the first DELETE, and again each time when the listing costs a tenth of the DELETEs
    since the last one: what was tagged or pushed meanwhile is seen soon, and costs little.
    """
    return -(-deletes // batch_size(manifests))


def batch_size(manifests: int) -> int:
    """Return how many DELETEs go between two listings of so many manifests."""
    return max(_LEAST_BATCH, 10 * _pages(manifests))


def _pages(manifests: int) -> int:
    return max(1, -(-manifests // _PER_PAGE))


@frozen(kw_only=True)
class _Document:
    format: str
    version: int
    plan: Plan


def _summary(plan: Plan) -> dict[str, Any]:
    items = [item for _, item in plan.condemned]
    whole = [item for item in items if item.delete == "manifest"]
    return {
        "tags_deleted": sum(len(item.tags) for item in items),
        "manifests_deleted": len(whole),
        "requests": plan.requests,
        "seconds_at_the_limit": round(plan.seconds, 1),
        "frees": str(plan.frees),
    }


def _written(plan: Plan, summary: dict[str, Any] | None = None) -> str:
    head: dict[str, Any] = {"format": FORMAT, "version": VERSION}
    if summary is not None:
        head["summary"] = summary
    lines = [f" {_text(key)}: {_text(value)}," for key, value in head.items()]
    frees = {name: getattr(plan.frees, name) for name in ("bytes", "at_least", "at_most")}
    lines += [
        ' "plan": {',
        f'  "registry": {_text(plan.registry)},',
        f'  "made_at": {_text(_time(plan.made_at))},',
        f'  "floor": {_text(plan.floor)},',
        f'  "frees": {_text(frees)},',
        f'  "left_alone": {_listed([_left_alone(left) for left in plan.left_alone], 3)},',
        f'  "repositories": {_listed([_repository(repo) for repo in plan.repositories], 3)}',
        " }",
    ]
    return "\n".join(["{", *lines, "}", ""])


def _left_alone(left: LeftAlone) -> str:
    return _text({"repository": left.repository, "reason": left.reason})


def _repository(repository: RepositoryPlan) -> str:
    head = {"name": repository.name, "tags": repository.tags, "manifests": repository.manifests}
    condemned = [_condemned(item) for item in repository.condemned]
    kept = [_text(_kept(kept)) for kept in repository.kept]
    return (
        f"{_text(head)[:-1]},\n"
        f'    "condemned": {_listed(condemned, 5)},\n'
        f'    "kept": {_listed(kept, 5)},\n'
        f'    "end": {_text(repository.name)}}}'
    )


def _condemned(item: Condemned) -> str:
    said: dict[str, Any] = {"delete": item.delete, "tags": item.tags, "digest": item.digest}
    if item.pushed_at is not None:
        said["pushed_at"] = _time(item.pushed_at)
    if item.size_bytes is not None:
        said["size_bytes"] = item.size_bytes
    return _text({**said, "reason": item.reason})


def _kept(kept: Kept) -> dict[str, Any]:
    said: dict[str, Any] = {"reason": kept.reason}
    if kept.tags:
        said["tags"] = kept.tags
    if kept.untagged:
        said["untagged"] = kept.untagged
    return said


def _listed(texts: Sequence[str], indent: int) -> str:
    if not texts:
        return "[]"
    space = " " * indent
    return "[\n" + ",\n".join(space + text for text in texts) + f"\n{space[:-1]}]"


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=True)


def _time(at: datetime) -> str:
    # At either end of the calendar there are times that UTC has no year for.
    with suppress(OverflowError):
        at = at.astimezone(UTC)
    return at.isoformat().replace("+00:00", "Z")


def _unmixed(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse what is left when lines are taken out from within one repository to within another.

    It would have the one's name, and the other's DELETEs.
    """
    said = without_duplicates(pairs)
    if "end" in said and said["end"] != said.get("name"):
        raise DocumentError(f"{said.get('name')!r} ends as {said['end']!r}")
    return said


def _check(plan: Plan) -> None:
    """Raise `PlanFileError` for what could not have been planned."""
    try:
        names.check_registry(plan.registry)
    except InvalidNameError as error:
        raise PlanFileError(f"registry: {error.message}") from None
    seen: set[str] = set()
    for nth, repository in enumerate(plan.repositories):
        where = f"repositories[{nth}]"
        try:
            names.check_repository(repository.name)
        except InvalidNameError as error:
            raise PlanFileError(f"{where}.name: {error.message}") from None
        if repository.name in seen:
            raise PlanFileError(f"{where}.name: {repository.name!r} is there twice")
        seen.add(repository.name)
        _check_condemned(repository.condemned, where)


def _check_condemned(condemned: Sequence[Condemned], where: str) -> None:
    seen: set[tuple[str, str]] = set()
    for nth, item in enumerate(condemned):
        here = f"{where}.condemned[{nth}]"
        try:
            names.check_digest(item.digest)
            for tag in item.tags:
                names.check_tag(tag)
        except InvalidNameError as error:
            raise PlanFileError(f"{here}: {error.message}") from None
        if item.delete == "tag" and len(item.tags) != 1:
            raise PlanFileError(f"{here}.tags: to delete a tag takes exactly one")
        if (item.delete, item.name) in seen:
            raise PlanFileError(f"{here}: {item.name!r} is there twice")
        seen.add((item.delete, item.name))

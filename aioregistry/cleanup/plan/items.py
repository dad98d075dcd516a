"""The parts of a plan: what is deleted and what is kept of each repository, and why."""

from collections.abc import Iterator, Sequence
from typing import Annotated

import msgspec
from attrs import field, frozen

from aioregistry.api.models import Time
from aioregistry.cleanup.in_use.summary import InUseSummary
from aioregistry.cleanup.memory.state import Recalled
from aioregistry.cleanup.plan.condemned import Condemned, in_columns
from aioregistry.sizes import size_in_words

__all__ = [
    "Condemned",
    "Count",
    "FreedBytes",
    "Kept",
    "LeftAlone",
    "PlanFields",
    "PlanProgress",
    "RepositoryPlan",
    "known_as",
]

# 64 bits: of a million kept manifests, none is taken for a new one by chance.
_KNOWN_CHARACTERS = 16

Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]


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
        condemned: What goes, in an order in which nothing goes before what needs it: any sequence
            of `Condemned`; it is kept as `CondemnedItems`.
        kept: What stays, by reason.
        known: The beginnings of the digests of the manifests that are kept, as `known_as` returns
            them: those need nothing that is condemned, and whoever applies the plan need not read
            them again.
        recalled: What its lists showed, where they were remembered from an earlier run: fresh ones
            must show the same before anything is deleted. None where they were read.
    """

    name: str
    tags: Count
    manifests: Count
    condemned: Sequence[Condemned] = field(default=(), converter=in_columns)
    kept: tuple[Kept, ...] = ()
    known: tuple[str, ...] = ()
    recalled: Recalled | None = None

    @property
    def tags_going(self) -> int:
        """How many of its tags go, without those of signatures."""
        return in_columns(self.condemned).image_tags

    @property
    def digests_going(self) -> frozenset[str]:
        """The digests of its manifests that go."""
        return frozenset(in_columns(self.condemned).digests_of_manifests())

    @property
    def manifests_going(self) -> int:
        """How many of its manifests go."""
        return in_columns(self.condemned).manifests


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
        return f"{bounds[self.at_least, self.at_most]}{size_in_words(self.bytes)}"


def known_as(digest: str) -> str:
    """Return the beginning of a digest by which `RepositoryPlan.known` has it."""
    return digest.partition(":")[2][:_KNOWN_CHARACTERS]


@frozen(kw_only=True)
class PlanFields:
    """What a plan file says; `Plan` adds how it is read, written and counted.

    Attributes:
        registry: The registry's name.
        made_at: When it was made; ages are counted up to then.
        created_at: When the registry was created; None where the API does not say.
        api_url: The API's address; None for any.
        registry_url: The registry's address, where one was given.
        floor: With how many tags at least the policy leaves a repository.
        repositories: The repositories that were looked at.
        left_alone: Those of which nothing is deleted although the policy speaks of them.
        frees: The bytes that it frees.
        in_use: What was read of images in use; None when nobody gave any.
        max_fraction: The largest part of a repository's tags that the policy allows to delete;
            None when the policy does not say.
        max_deletes: The largest number of DELETEs that it allows; None when it does not say.
        notes: What of the policy may not be meant, a sentence each: rules that had no effect, and
            tags that are deleted and look like versions.
    """

    registry: str
    made_at: Time
    created_at: Time | None = None
    api_url: str | None = None
    registry_url: str | None = None
    floor: Count = 0
    in_use: InUseSummary | None = None
    max_fraction: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None
    max_deletes: Count | None = None
    notes: tuple[str, ...] = ()
    repositories: tuple[RepositoryPlan, ...] = ()
    left_alone: tuple[LeftAlone, ...] = ()
    frees: FreedBytes = field(factory=FreedBytes)

    @property
    def condemned(self) -> Iterator[tuple[str, Condemned]]:
        """Every DELETE, with the name of its repository."""
        return ((repo.name, item) for repo in self.repositories for item in repo.condemned)


@frozen
class PlanProgress:
    """How far the making of a plan is.

    Attributes:
        repositories: Repositories that are done.
        of: Repositories in all.
        manifests: Manifests that were listed.
        read: Manifests whose contents were looked at.
    """

    repositories: int = 0
    of: int = 0
    manifests: int = 0
    read: int = 0

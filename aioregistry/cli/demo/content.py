"""The content of the demo's registry."""

from typing import Self

import msgspec
from attrs import frozen

from aioregistry.cleanup.policy.policy import Policy
from aioregistry.cleanup.policy.rules import Delete, Keep, KeepNewest
from aioregistry.cli.demo.history import COMMIT_DIGITS, History
from aioregistry.sandbox import State
from aioregistry.sandbox.seed import generated_state, history_state

__all__ = ["REGISTRY", "Content", "Names"]

REGISTRY = "example"

_REPOSITORIES = 8

_COMMIT = "[0-9a-f]" * COMMIT_DIGITS

# Each a repository's name and a tag's.
Names = frozenset[tuple[str, str]]


@frozen
class Content:
    """The content of the registry, and the part of it to keep.

    Attributes:
        title: A description.
        state: The registry's content.
        tags: Number of tags.
        keep: Number of commit tags to keep in each repository.
        releases: Tags to keep although they may look like a commit's.
        left: The tags that must be left; None if only the walk can say.
    """

    title: str
    state: State
    tags: int
    keep: int
    releases: frozenset[str] = frozenset()
    left: Names | None = None

    @property
    def policy(self) -> Policy:
        """Deletes commit tags only: in each repository all but the newest."""
        releases = [Keep(tags=release) for release in sorted(self.releases)]
        return Policy(
            [*releases, KeepNewest(self.keep, tags=_COMMIT), Delete(tags=_COMMIT)], floor=0
        )

    @classmethod
    def generated(cls, tags: int, keep: int) -> Self:
        """Return made-up content in some repositories."""
        state = generated_state(tags, min(tags, _REPOSITORIES), registry=REGISTRY)
        return cls("made-up content", state, tags, keep)

    @classmethod
    def of_history(cls, history: History, keep: int) -> Self:
        """Return the content that a project's pushes leave in one repository."""
        releases = history.releases
        return cls(
            f"{len(history.pushes):,} pushes and {len(releases):,} releases of"
            f" {history.repository}",
            history_state(msgspec.to_builtins(history), REGISTRY),
            len({push.commit_tag for push in history.pushes} | releases),
            keep,
            releases,
            frozenset(
                (history.repository_name, tag) for tag in releases | history.newest_commits(keep)
            ),
        )

"""Initial states: made-up content of any size, or the content that a push history leaves."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from aioregistry.sandbox.state.content import generate
from aioregistry.sandbox.state.state import State


def history_state(history: Mapping[str, Any], registry: str = "example") -> State:
    """A registry to which a project pushed an image at every push of its history.

    Args:
        history: ``{"repository": "owner/name", "pushes": [{"at", "sha", "on_default_branch",
            "releases"}]}``. Each push becomes one image, tagged with the first 12 digits of its sha
            and with its releases, in the repository ``name``.
        registry: The registry's name.
    """
    state = State()
    state.add_registry(registry)
    repository = history["repository"].rpartition("/")[2].lower()
    for push in history["pushes"]:
        tags = [push["sha"][:12], *push["releases"]]
        state.push(registry, repository, tags, at=datetime.fromisoformat(push["at"]))
    return state


def generated_state(
    tags: int = 1000,
    repositories: int = 1,
    seed: int = 0,
    *,
    registry: str = "example",
    until: datetime | None = None,
) -> State:
    """A registry with made-up content, the same for the same arguments.

    Args:
        tags: How many tags there are in all.
        repositories: How many repositories share them, the first having the most.
        seed: Of the random choices.
        registry: The registry's name.
        until: When the last image was pushed, with a zone; by default on the last day of 2025.

    Raises:
        ValueError: There are fewer tags than repositories, or no repository.
    """
    return generate(tags, repositories, seed, registry, until)

"""Lists that move while somebody walks them."""

from collections.abc import Mapping

from aioregistry.sandbox.faults import Change
from aioregistry.sandbox.refusal import Refusal
from aioregistry.sandbox.state.names import digest_text
from aioregistry.sandbox.state.state import State


def move(
    state: State, route: str, parameters: Mapping[str, str], change: Change, count: int
) -> None:
    """Let items arrive in front of a list, or let its first ones vanish.

    Args:
        state: The account.
        route: The route of the list; other routes change nothing.
        parameters: The path's decoded parameters.
        change: What happens.
        count: To how many items.
    """
    registry, repository = parameters.get("registry", ""), parameters.get("repository")
    for _ in range(count):
        try:
            if repository is None:
                _move_repositories(state, registry, change)
            elif change == "push":
                state.push(registry, repository, [f"moved-{state.new_uuid()}"])
            else:
                _delete_newest(state, route, registry, repository)
        except Refusal:
            # There is no such list, or nothing is left to take from it.
            return


def _move_repositories(state: State, registry: str, change: Change) -> None:
    if change == "push":
        state.push(registry, f"0-moved-{state.new_uuid()}", ["latest"])
        return
    for name in state.registry(registry).repository_names[:1]:
        state.delete_repository(registry, name)


def _delete_newest(state: State, route: str, registry: str, repository: str) -> None:
    held = state.registry(registry).repository(repository)
    if route.endswith("/digests"):
        manifest = held.newest_manifests.first()
        if manifest is not None:
            state.delete_manifest(registry, repository, digest_text(manifest.digest))
        return
    tag = held.newest_tags.first()
    if tag is not None:
        state.delete_tag(registry, repository, tag.name)

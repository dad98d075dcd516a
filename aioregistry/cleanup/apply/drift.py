"""What changed since a plan was made, so that an item of it must not be deleted: pure."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta

from attrs import evolve, field, frozen

from aioregistry.cleanup.manifests.content import Content
from aioregistry.cleanup.manifests.graph import Graph
from aioregistry.cleanup.manifests.inventory import RepositoryInventory
from aioregistry.cleanup.memory.state import Recalled
from aioregistry.cleanup.plan.decisions import Exempt
from aioregistry.cleanup.plan.items import Condemned
from aioregistry.cleanup.plan.reasons import describe, relation

__all__ = ["NEEDS_NOTHING", "Recheck", "not_read", "recheck"]

# By so much the clock of the registry may be behind that of whoever made the plan.
_CLOCKS_DIFFER = timedelta(minutes=15)
# What is kept and was read for the plan: it needs nothing that is condemned.
NEEDS_NOTHING = Content("", 0)
_OUT_OF_DATE = "the repository has changed since the lists were read that the plan was made from"


@frozen
class Recheck:
    """What a fresh listing says of what is still to be deleted.

    Attributes:
        absent: What is gone already.
        drifted: What must stay now, each with why.
        blocked: What must stay because something that needs it could not be deleted, with why.
        tags: Tags that may be deleted.
        waves: Manifests that may be deleted, in the order in which they can go: none before what
            needs it, and those of one wave do not need each other.
        graph: What needs what.
    """

    absent: tuple[Condemned, ...] = ()
    drifted: tuple[tuple[Condemned, str], ...] = ()
    blocked: tuple[tuple[Condemned, str], ...] = ()
    tags: tuple[Condemned, ...] = ()
    waves: tuple[tuple[Condemned, ...], ...] = ()
    graph: Graph = field(factory=lambda: Graph((), {}), eq=False)


def recheck(
    pending: Iterable[Condemned],
    inventory: RepositoryInventory,
    contents: Mapping[str, Content],
    exempt: Exempt,
    *,
    given_up: Collection[str] = (),
    floor: int = 0,
    made_at: datetime | None = None,
    recalled: Recalled | None = None,
) -> Recheck:
    """Compare what is still to be deleted with what is there now.

    Whatever is there and is not to be deleted stays, and so does what it needs: what was pushed
    since the plan was made, too.

    Args:
        pending: What is still to be deleted, of one repository.
        inventory: All that the repository holds now.
        contents: What each of its manifests says.
        exempt: What is in use now.
        given_up: Condemned manifests that could not be deleted; what they need is blocked.
        floor: With how many tags at least the repository is left.
        made_at: When the plan was made.
        recalled: What the plan was made from, where that was remembered: what differs now shows
            that the plan may be wrong. None where it was read, or is as it was.
    """
    look = _Comparison(pending, inventory, contents, exempt, given_up, floor, made_at).look()
    if recalled is None or recalled.still_holds(inventory):
        return look
    left = [*look.tags, *(item for wave in look.waves for item in wave)]
    changed = tuple((item, _OUT_OF_DATE) for item in left)
    return evolve(look, drifted=(*look.drifted, *changed), tags=(), waves=())


def not_read(
    inventory: RepositoryInventory,
    contents: Mapping[str, Content],
    asked: Collection[str],
    *,
    parts: bool,
) -> list[str]:
    """Return the manifests that are yet to be read.

    Args:
        inventory: All that the repository holds now.
        contents: What manifests say, by digest.
        asked: Those that were asked for already.
        parts: Whether what others name as their parts is read, even if it is kept: by such a part
            an index may hold what is in use.
    """
    named: set[str] = set()
    if parts:
        named.update(child for content in contents.values() for child in content.children)
    return [
        digest
        for digest in (manifest.digest for manifest in inventory.manifests)
        if (content := contents.get(digest)) is None
        or (content is NEEDS_NOTHING and digest in named)
        if digest not in asked
    ]


class _Comparison:
    def __init__(
        self,
        pending: Iterable[Condemned],
        inventory: RepositoryInventory,
        contents: Mapping[str, Content],
        exempt: Exempt,
        given_up: Collection[str],
        floor: int,
        made_at: datetime | None,
    ) -> None:
        self._pending = list(pending)
        self._inventory = inventory
        self._made_at = made_at
        self._here = {manifest.digest: manifest for manifest in inventory.manifests}
        self._digest_of = dict(inventory.tags)
        self._graph = Graph(inventory.manifests, contents)
        self._exempt = exempt.with_indexes(self._graph, inventory.manifests)
        self._tags_in_use = self._exempt.tags_on(inventory.manifests)
        self._given_up = given_up
        self._floor = floor

    def look(self) -> Recheck:
        absent = [item for item in self._pending if self._is_absent(item)]
        left = [item for item in self._pending if not self._is_absent(item)]
        drifted = {item: why for item in left if (why := self._drift(item)) is not None}
        if self._is_below_floor([item for item in left if item not in drifted]):
            why = f"fewer than {self._floor} tags would be left"
            drifted |= {item: why for item in left if item.tags and item not in drifted}
        left = [item for item in left if item not in drifted]
        unsure = {
            item: self._inventory.uncertain[item.digest]
            for item in left
            if item.digest in self._inventory.uncertain
        }
        left = [item for item in left if item not in unsure]
        self._held = {*self._given_up, *(item.digest for item in unsure)}
        going = {item.digest: item for item in left if item.delete == "manifest"}
        needed, blocked = self._needed(going)
        drifted |= {going[digest]: why for digest, why in needed.items()}
        waves = self._graph.waves([one for one in going if one not in needed | blocked])
        return Recheck(
            tuple(absent),
            tuple(drifted.items()),
            (*unsure.items(), *((going[digest], why) for digest, why in blocked.items())),
            tuple(item for item in left if item.delete == "tag"),
            tuple(tuple(going[digest] for digest in wave) for wave in waves),
            self._graph,
        )

    def _is_absent(self, item: Condemned) -> bool:
        if item.delete == "manifest":
            return item.digest not in self._here
        return item.name not in self._digest_of

    def _drift(self, item: Condemned) -> str | None:
        """Return why one item must stay, by itself."""
        for tag in item.tags:
            if tag in self._tags_in_use:
                return self._tags_in_use[tag]
            now = self._digest_of.get(tag, item.digest)
            if now != item.digest:
                return f"the tag {tag} moved to {describe(self._here[now])}"
        if item.delete == "manifest":
            why = self._drift_of_manifest(item)
            if why is not None:
                return why
        return self._set_again(item)

    def _set_again(self, item: Condemned) -> str | None:
        """Return which tag of an item was set again since the plan, on the same manifest."""
        manifest = self._here[item.digest]
        for tag in item.tags if self._inventory.tags_read else ():
            if tag not in manifest.tags:
                continue
            now = self._inventory.set_time(tag, manifest)
            if now is None and item.set_at is not None:
                return f"the time of the tag {tag} is unknown now"
            if now is not None and self._is_since(item.set_at, now):
                return f"the tag {tag} was set again at {now:%Y-%m-%d %H:%M:%S} UTC"
        return None

    def _is_since(self, before: datetime | None, now: datetime) -> bool:
        """Return whether a time is one since the plan was made, which has another."""
        made_at = self._made_at
        if before is not None and (made_at is None or before <= made_at):
            return now > before
        # One that was unknown, or in the future, as that of another tag may be, says nothing.
        return made_at is not None and now != before and now > made_at - _CLOCKS_DIFFER

    def _drift_of_manifest(self, item: Condemned) -> str | None:
        if item.digest in self._exempt.digests:
            return f"in use: {self._exempt.digests[item.digest]}"
        manifest = self._here[item.digest]
        new = sorted({*manifest.tags} - {*item.tags})
        if new:
            return f"it got the tag {new[0]}"
        now = manifest.pushed_at
        if now is not None and self._is_since(item.pushed_at, now):
            return f"it was pushed again at {now:%Y-%m-%d %H:%M:%S} UTC"
        return None

    def _is_below_floor(self, left: Iterable[Condemned]) -> bool:
        gone = {tag for item in left for tag in item.tags}
        images = [tag for manifest in self._here.values() for tag in manifest.image_tags]
        stay = sum(tag not in gone for tag in images)
        return stay < min(self._floor, len(images))

    def _needed(self, going: Mapping[str, Condemned]) -> tuple[dict[str, str], dict[str, str]]:
        """Return what of it is needed by what stays, and what by that which could not go."""
        staying = [
            digest for digest in self._here if digest not in going and digest not in self._held
        ]
        found = self._graph.reached_from(staying)
        needed = {one: self._because(one, by) for one, by in found.items() if one in going}
        found = self._graph.reached_from(one for one in self._held if one in self._here)
        blocked = {
            one: f"{self._because(one, by)}, and that could not be deleted"
            for one, by in found.items()
            if one in going and one not in needed
        }
        return needed, blocked

    def _because(self, digest: str, needing: str) -> str:
        return relation(self._graph, self._here[needing], self._here[digest])

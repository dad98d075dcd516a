"""The map of bytes by registry, repository and tag, and the list of tags behind it: pure."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from attrs import field, frozen

from aioregistry.cleanup.plan.plan import Plan
from aioregistry.errors import printable
from aioregistry.report.lists import Budget, Column, LongList, choices, minutes
from aioregistry.report.maps import BytesMap, Node, bytes_map
from aioregistry.sizes import counted
from aioregistry.usage.model import By, RegistryUsage, UsageRow

__all__ = ["Mapped", "Repository", "Tag", "list_of_tags", "map_document", "map_of", "maps"]

_REPOSITORY_BYTES = 50
_WIDE, _NARROW = (1120, 500), (350, 480)


@frozen
class Tag:
    """A tag.

    Attributes:
        name: Its name, without that of the repository.
        repository: The number of its repository.
        row: Its figures.
        reason: Why a policy deletes it; None if it stays.
    """

    name: str
    repository: int
    row: UsageRow
    reason: str | None = None


@frozen
class Repository:
    """A repository.

    Attributes:
        name: Its name; with that of the registry if there are several.
        registry: The number of its registry.
        row: Its figures.
        going: How many of its tags a policy deletes; None where no policy was asked.
        tags: Its tags, as far as they are on the page.
    """

    name: str
    registry: int
    row: UsageRow
    going: int | None = None
    tags: list[Tag] = field(factory=list, repr=False)

    @property
    def untagged(self) -> int:
        """The bytes that only its untagged manifests have."""
        return self.row.untagged_bytes or 0

    @property
    def shared(self) -> int:
        """The bytes that only this repository has, and several of its tags."""
        alone = sum(tag.row.exclusive_bytes for tag in self.tags)
        return max(0, self.row.exclusive_bytes - self.untagged - alone)

    def node(self, number: int) -> Node:
        """Return it as a node of the map."""
        parts = [
            Node(tag.name, tag.row.exclusive_bytes, "going" if tag.reason else "tag")
            for tag in self.tags
        ]
        parts += [Node("", self.shared, "shared"), Node("", self.untagged, "untagged")]
        note = counted(self.row.tags, "tag")
        if self.going is not None:
            note += f" of which the policy deletes {self.going:,}"
        return Node(self.name, self.row.exclusive_bytes, "repository", note, parts, number)


@frozen
class Mapped:
    """The registries of a page.

    Attributes:
        registries: Their names.
        between: Of each, the bytes that several of its repositories have.
        repositories: Their repositories.
        tags: Their tags, the largest first.
        left_out: How many further tags there are.
        has_policy: Whether it is known which tags a policy deletes.
    """

    registries: Sequence[str]
    between: Sequence[int]
    repositories: Sequence[Repository]
    tags: Sequence[Tag]
    left_out: int
    has_policy: bool


def map_of(usages: Sequence[RegistryUsage], plans: Mapping[str, Plan]) -> Mapped:
    """Arrange what was counted.

    Args:
        usages: The registries.
        plans: What a policy would delete, by registry; empty for no policy.
    """
    repositories: list[Repository] = []
    between: list[int] = []
    tags: list[Tag] = []
    for registry, usage in enumerate(usages):
        before = f"{usage.registry}/" if len(usages) > 1 else ""
        numbers: dict[str, int] = {}
        plan = plans.get(usage.registry)
        going = {} if plan is None else {one.name: one.tags_going for one in plan.repositories}
        left = usage.total.bytes
        for row in usage.groups[By.REPOSITORY].rows:
            numbers[row.name] = len(repositories)
            name = printable(f"{before}{row.name}")
            deleted = None if plan is None else going.get(row.name, 0)
            repositories.append(Repository(name, registry, row, deleted))
            left -= row.exclusive_bytes
        between.append(max(0, left))
        rows = usage.groups[By.TAG].rows
        reasons = _reasons(plan, {row.name for row in rows})
        for row in rows:
            where, name = _split(row.name, numbers)
            tag = Tag(printable(name), numbers[where], row, reasons.get(row.name))
            repositories[tag.repository].tags.append(tag)
            tags.append(tag)
    tags.sort(key=lambda tag: (-tag.row.exclusive_bytes, -tag.row.bytes, tag.row.name))
    left_out = sum(usage.groups[By.TAG].left_out for usage in usages)
    names = [printable(usage.registry) for usage in usages]
    return Mapped(names, between, repositories, tags, left_out, bool(plans))


def _split(name: str, repositories: Mapping[str, int]) -> tuple[str, str]:
    """Return the repository and the tag in ``repository:tag``; a server may allow more colons."""
    parts = name.split(":")
    ends = range(len(parts) - 1, 0, -1)
    end = next(end for end in ends if ":".join(parts[:end]) in repositories)
    return ":".join(parts[:end]), ":".join(parts[end:])


def _reasons(plan: Plan | None, tags: Collection[str]) -> dict[str, str]:
    """Return why each of some tags is deleted that is."""
    if plan is None:
        return {}
    return {
        called: item.reason
        for name, item in plan.condemned
        for tag in item.tags
        if (called := f"{name}:{tag}") in tags
    }


def maps(mapped: Mapped) -> list[BytesMap]:
    """Return the maps: of registries if there are several, else of repositories."""
    nodes = [one.node(number) for number, one in enumerate(mapped.repositories)]
    shared = [Node("shared by repositories", size, "shared") for size in mapped.between]
    if len(mapped.registries) == 1:
        top = [*nodes, *shared]
    else:
        top = []
        for number, name in enumerate(mapped.registries):
            own = [
                Node(node.name, node.bytes, "tag")
                for node, one in zip(nodes, mapped.repositories, strict=True)
                if one.registry == number
            ]
            size = sum(node.bytes for node in own) + mapped.between[number]
            note = counted(len(own), "repository")
            top.append(Node(name, size, "registry", note, [*own, shared[number]], number))
    return [bytes_map("wide", top, *_WIDE), bytes_map("narrow", top, *_NARROW)]


def map_document(mapped: Mapped) -> dict[str, Any]:
    """Return what the script needs to open registries and repositories, as JSON values."""
    found = mapped.repositories
    return {
        "registries": list(mapped.registries),
        "between": list(mapped.between),
        "repositories": [one.name for one in found],
        "registry": [one.registry for one in found],
        "bytes": [one.row.exclusive_bytes for one in found],
        "shared": [one.shared for one in found],
        "untagged": [one.untagged for one in found],
    }


def list_of_tags(mapped: Mapped) -> LongList:
    """Return the list of tags. Its first columns are those that the map reads."""
    texts = ((tag.name, tag.reason or "") for tag in mapped.tags)
    budget = Budget()
    # Each name stands in the list and in the map, which also has numbers of it.
    budget.take(2 * len(one.name) + _REPOSITORY_BYTES for one in mapped.repositories)
    tags = mapped.tags[: budget.rows(texts)]
    columns = [
        Column(
            "Repository",
            "choice",
            [tag.repository for tag in tags],
            [one.name for one in mapped.repositories],
        ),
        Column("Tag", "text", [tag.name for tag in tags]),
        Column("Freed alone", "bytes", [tag.row.exclusive_bytes for tag in tags]),
        Column("Size", "bytes", [tag.row.bytes for tag in tags]),
        Column("Pushed", "time", [minutes(tag.row.newest) for tag in tags]),
    ]
    if mapped.has_policy:
        columns.append(Column("Policy", "choice", *choices(tag.reason or "stays" for tag in tags)))
    return LongList(
        name="tags",
        label="Tags",
        one="tag",
        columns=columns,
        rows=len(tags),
        left_out=mapped.left_out + len(mapped.tags) - len(tags),
        all_rows="aioregistry usage --by tag",
    )

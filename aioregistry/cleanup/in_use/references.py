"""References to images that run somewhere, and that a clean-up must therefore keep."""

import logging
from array import array
from collections import defaultdict
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator, Mapping, Sequence

from attrs import frozen

from aioregistry.arguments import Several, refuse_one
from aioregistry.cleanup.in_use.summary import AskedServer, InUseSummary
from aioregistry.cleanup.manifests.blobs import keys_of, pack_keys
from aioregistry.cleanup.manifests.listed import ListedManifest
from aioregistry.errors import InvalidNameError, RegistryError
from aioregistry.oci.references import Reference

__all__ = [
    "InUse",
    "InUseError",
    "InUseSource",
    "InUseTally",
    "Use",
    "can_be_asked_again",
    "collect_in_use",
]

logger: logging.Logger = logging.getLogger("aioregistry")

# Their blobs are held against digests at once, and only then one by one.
_MANIFESTS_AT_ONCE = 10_000


class InUseError(RegistryError, ValueError):
    """What is in use cannot be read for certain, so nothing may be deleted; says where and why.

    Attributes:
        is_unknown: Whether somebody was asked what runs, and cannot tell; else what was given is of
            no use, and no other answer can come of it.
    """

    is_unknown: bool = False

    @classmethod
    def unknown(cls, message: str) -> "InUseError":
        """Return the error of a source that was asked and cannot tell what runs."""
        error = cls(message)
        error.is_unknown = True
        return error


@frozen
class Use:
    """An image that is in use, and where.

    Attributes:
        reference: The image.
        where: Where it is in use, as reasons say it: ``pod default/web-1``, ``line 3 of running``.
    """

    reference: Reference
    where: str = "given as in use"


InUseSource = Several[Use | Reference | str] | AsyncIterable[Use | Reference | str]


class InUse:
    """All images that are in use.

    Example:
        >>> in_use = InUse(["registry.digitalocean.com/example/web:v1"])
        >>> dict(in_use.tags_of("example", "web"))
        {'v1': 'given as in use'}

    Args:
        uses: References, as texts or parsed. None by default: then nothing is in use.
        asked: The servers that were asked for them. None by default.

    Raises:
        InUseError: One of them is no reference.
    """

    def __init__(
        self, uses: Several[Use | Reference | str] = (), asked: Iterable[AskedServer] = ()
    ) -> None:
        refuse_one("uses", uses)
        # By the last part of the path: only these are looked at more closely for a repository.
        self._uses: dict[str, list[Use]] = defaultdict(list)
        self.was_given = True
        self.asked: tuple[AskedServer, ...] = tuple(asked)
        for use in map(_use, uses):
            self._uses[use.reference.path.rpartition("/")[2]].append(use)

    @classmethod
    def not_given(cls) -> "InUse":
        """Return what stands for "nobody said what is in use"."""
        unknown = cls()
        unknown.was_given = False
        return unknown

    def __iter__(self) -> Iterator[Use]:
        return (use for uses in self._uses.values() for use in uses)

    def tags_of(self, registry: str, repository: str) -> Mapping[str, str]:
        """Return the tags of a repository that are in use, each with where."""
        return {
            use.reference.tag or "latest": use.where
            for use in self._of(registry, repository)
            if use.reference.tag is not None or use.reference.digest is None
        }

    def digests_of(
        self, registry: str, repository: str, manifests: Sequence[ListedManifest] = ()
    ) -> Mapping[str, str]:
        """Return the digests in use that may be of a repository, each with where.

        Args:
            registry: The registry's name.
            repository: The repository's name.
            manifests: Those of the repository. A digest by itself may be that of a config, by which
                Docker, and other runtimes in part, call what they run: then the manifests that have
                it are in use, too. None by default.
        """
        found = {
            use.reference.digest: use.where
            for use in self._of(registry, repository)
            if use.reference.digest is not None
        }
        for use, digest in self.with_blobs_in_use(manifests):
            found.setdefault(digest, use.where)
        return found

    def with_blobs_in_use(self, manifests: Sequence[ListedManifest]) -> Iterator[tuple[Use, str]]:
        """Yield each use of a digest by itself, with each manifest that has or is what it names.

        Args:
            manifests: The manifests of a repository.
        """
        alone = [use for use in self._uses.get("", ()) if use.reference.digest is not None]
        keys = array("Q", pack_keys([use.reference.digest or "" for use in alone]))
        wanted = dict(zip(keys, alone, strict=True))
        for start in range(0, len(manifests) if wanted else 0, _MANIFESTS_AT_ONCE):
            some = manifests[start : start + _MANIFESTS_AT_ONCE]
            if wanted.keys().isdisjoint(keys_of(one.blobs for one in some)):
                continue
            for one in some:
                for key in wanted.keys() & set(keys_of([one.blobs])):
                    yield wanted[key], one.digest

    def _of(self, registry: str, repository: str) -> Iterator[Use]:
        for last in ("", repository.rpartition("/")[2]):
            for use in self._uses.get(last, ()):
                if use.reference.names(registry, repository):
                    yield use


class InUseTally:
    """Counts which references were found in a registry, one repository after the other.

    Args:
        in_use: What is in use.
        registry: The registry's name.
    """

    def __init__(self, in_use: InUse, registry: str) -> None:
        self._in_use = in_use
        self._registry = registry
        self._of_registry: dict[str, None] = {}
        self._found: set[str] = set()

    def add(self, repository: str, manifests: Sequence[ListedManifest]) -> None:
        """Look for the references of a repository among its manifests and their tags."""
        # Sets of a million tags are made only where something is in use.
        if any(True for _ in self._in_use._of(self._registry, repository)):  # noqa: SLF001
            tags = frozenset([tag for one in manifests for tag in one.tags])
            digests = {one.digest for one in manifests}
            for use, _ in self._in_use.with_blobs_in_use(manifests):
                digests.add(use.reference.digest or "")
            self._note(repository, tags, frozenset(digests))

    def skip(self, repository: str) -> None:
        """Take the references of a repository that was not listed as found."""
        self._note(repository, None, None)

    def _note(
        self, repository: str, tags: frozenset[str] | None, digests: frozenset[str] | None
    ) -> None:
        for use in self._in_use._of(self._registry, repository):  # noqa: SLF001
            reference = use.reference
            if tags is None or digests is None:
                found = bool(reference.path)
            elif reference.digest is not None:
                found = reference.digest in digests
            else:
                found = (reference.tag or "latest") in tags
            # A digest by itself may be of any registry until it is found.
            if found or reference.path:
                self._of_registry[str(reference)] = None
            if found:
                self._found.add(str(reference))

    def summary(self) -> InUseSummary | None:
        """Return what was read and found; None when nobody said what is in use."""
        if not self._in_use.was_given:
            return None
        read: dict[str, None] = {}
        for use in self._in_use:
            name = str(use.reference)
            read[name] = None
            # The repository itself may not exist.
            if use.reference.path.startswith(f"{self._registry}/"):
                self._of_registry[name] = None
        return InUseSummary(
            read=len(read),
            references=tuple(sorted(self._of_registry)),
            not_found=tuple(sorted({*self._of_registry} - self._found)),
            asked=self._in_use.asked,
        )


def _use(given: Use | Reference | str) -> Use:
    if isinstance(given, Use):
        return given
    if isinstance(given, Reference):
        return Use(given)
    try:
        return Use(Reference.parse(given))
    except InvalidNameError as error:
        raise InUseError(f"in use: {error.message}") from None


async def collect_in_use(
    source: InUse | InUseSource | None, recorded: InUseSummary | None = None
) -> InUse:
    """Return all that a source says is in use.

    Args:
        source: References; `InUse` as it is. None when nobody said what is in use.
        recorded: What was in use when the plan was made: it takes the place of None, which is
            logged as a warning.

    Raises:
        InUseError: One of it is no reference; or the source is empty, which is how a query that
            failed looks like; or less was asked than for the plan: another server, or fewer kinds.
    """
    found = await _collect(source, recorded)
    if source is not None and recorded is not None:
        _check_servers(found.asked, recorded.asked)
    return found


def _check_servers(asked: Iterable[AskedServer], before: Iterable[AskedServer]) -> None:
    """Raise `InUseError` unless all was asked that was asked for the plan."""
    asked, before = tuple(asked), tuple(before)
    servers = {one.server for one in asked}
    missing = [one for one in before if one.server not in servers]
    if missing:
        raise InUseError(
            f"in use: the plan asked {missing[0].source} ({missing[0].server}), which was not asked"
            " now: ask the same servers again, or make a new plan"
        )
    clusters = {(one.server, one.authority) for one in asked}
    for one in before:
        if one.authority and (one.server, one.authority) not in clusters:
            raise InUseError(
                f"in use: {one.server} is not the cluster that the plan asked as {one.source}, or"
                " its authority has changed: ask the same one again, or make a new plan"
            )
    # A kind of which there was no object is among the counts, too.
    kinds = {(one.server, kind) for one in asked for kind in one.counts}
    for one in before:
        if fewer := [kind for kind in one.counts if (one.server, kind) not in kinds]:
            given = " ".join(f"--in-use-kind {_written(kind)}" for kind in fewer)
            raise InUseError(
                f"in use: {one.source} was not asked for {', '.join(fewer)} now, which it was for"
                f" the plan: give {given}, or make a new plan"
            )
    known = {name for one in before for name in one.left_out}
    for one in asked:
        if more := [name for name in one.left_out if name not in known]:
            raise InUseError(
                f"in use: {one.source} was not asked for {', '.join(more)} now, which it was for"
                " the plan: leave out no more than that, or make a new plan"
            )


def _written(kind: str) -> str:
    """Return a kind of a plan's counts as the option takes it; plans do not have its version."""
    resource, _, group = kind.partition(".")
    return f"{group}/VERSION/{resource}" if group else f"VERSION/{resource}"


def can_be_asked_again(source: InUse | InUseSource | None) -> bool:
    """Return whether a source says what runs each time anew, as a cluster that is asked."""
    return isinstance(source, AsyncIterable) and not isinstance(source, AsyncIterator)


async def _collect(source: InUse | InUseSource | None, recorded: InUseSummary | None) -> InUse:
    if source is None:
        if recorded is None or not recorded.read:
            return InUse.not_given()
        logger.warning(
            "the plan was made with what was in use then (%s), and nothing newer is given: pass"
            " in_use to apply_plan",
            recorded,
        )
        return InUse(recorded.references)
    if isinstance(source, InUse):
        return source
    refuse_one("in_use", source)
    uses = [use async for use in source] if isinstance(source, AsyncIterable) else list(source)
    # Whoever was asked and has answered knows that nothing runs.
    if not uses and not getattr(source, "asked", ()):
        raise InUseError(
            "in use: no reference at all, as after a query that failed; where nothing runs, pass"
            " InUse()"
        )
    return InUse(uses, getattr(source, "asked", ()))

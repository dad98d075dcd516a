"""What manifests of one repository need of each other: pure."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import cached_property
from itertools import chain

from aioregistry.cleanup.manifests.content import (
    KEY_CHARACTERS,
    Content,
    naming_others,
    subject_key,
    subject_of_tag,
)
from aioregistry.cleanup.manifests.listed import ListedManifest, tagged_as_referrers

__all__ = ["Graph"]

_NONE: tuple[str, ...] = ()


class Graph:
    """The needs between the manifests of a repository.

    An index needs the manifests that it names. A manifest needs its referrers: those with it as
    their subject, and signatures, attestations and SBOMs by the names of their tags.

    Args:
        manifests: All manifests of the repository, by digest or by themselves.
        contents: What each of them says, by digest.
        referrers: Those with a tag as signatures and the like have; None, the default, to look.
        naming: Those of the contents that name others; None, the default, to look.

    Attributes:
        manifests: The manifests, by digest.
    """

    def __init__(
        self,
        manifests: Iterable[ListedManifest] | Mapping[str, ListedManifest],
        contents: Mapping[str, Content],
        referrers: Collection[str] | None = None,
        naming: Collection[str] | None = None,
    ) -> None:
        if not isinstance(manifests, Mapping):
            manifests = {manifest.digest: manifest for manifest in manifests}
        here = manifests
        self.manifests: Mapping[str, ListedManifest] = here
        # Those that a tag has only a part of.
        self._longer = {subject_key(one): one for one in here if len(one) > KEY_CHARACTERS}
        self._children: dict[str, tuple[str, ...]] = {}
        self._referrers: dict[str, list[str]] = {}
        self._parents: dict[str, list[str]] = {}
        # The needs that stand in documents. No digest can depend on itself: they form no cycle.
        self._documented: set[tuple[str, str]] = set()
        if referrers is None:
            referrers = tagged_as_referrers(here.values())
        if naming is None:
            naming = naming_others({digest: contents[digest] for digest in here})
        for digest in filter({*naming, *referrers}.__contains__, here):
            content, manifest = contents[digest], here[digest]
            children = tuple(dict.fromkeys(child for child in content.children if child in here))
            if children:
                self._children[digest] = children
            for child in children:
                self._parents.setdefault(child, []).append(digest)
                self._documented.add((digest, child))
            if content.subject is not None and content.subject in here:
                self._documented.add((content.subject, digest))
            named = {subject_of_tag(tag) for tag in manifest.tags}
            subjects = {self._longer.get(key, key) for key in named if key} | {content.subject}
            for subject in subjects:
                if subject is not None and subject in here:
                    self._referrers.setdefault(subject, []).append(digest)
                    self._parents.setdefault(digest, []).append(subject)
        self._needing = self._children.keys() | self._referrers.keys()

    @cached_property
    def related(self) -> Mapping[str, None]:
        """The manifests that need others or are needed, in the order of all."""
        related = self._needing | self._parents.keys()
        return dict.fromkeys(filter(related.__contains__, self.manifests))

    def find(self, key: str) -> ListedManifest | None:
        """Return the manifest that has a `subject_key`; None when it is not here."""
        return self.manifests.get(self._longer.get(key, key))

    def needs(self, digest: str) -> Iterator[str]:
        """Yield what a manifest needs: its children, and its referrers."""
        yield from self._children.get(digest, _NONE)
        yield from self._referrers.get(digest, _NONE)

    def holds(self, index: str, digest: str) -> bool:
        """Return whether an index names a manifest."""
        return digest in self._children.get(index, _NONE)

    def needed_by(self, digest: str) -> Collection[str]:
        """Return the manifests that need this one."""
        return self._parents.get(digest, _NONE)

    def reached_from(self, roots: Iterable[str]) -> dict[str, str]:
        """Return what some manifests need, and what that needs, without themselves.

        Returns:
            For each needed digest, the digest of a manifest that needs it.
        """
        reached: dict[str, str] = {}
        if not self._needing:
            return reached
        # In a dict of a million, few need anything.
        roots = roots if isinstance(roots, dict) else dict.fromkeys(roots)
        waiting = list(filter(self._needing.__contains__, roots))
        while waiting:
            needing = waiting.pop()
            for needed in self.needs(needing):
                if needed not in reached and needed not in roots:
                    reached[needed] = needing
                    waiting.append(needed)
        return reached

    def containing(self, digests: Iterable[str]) -> dict[str, str]:
        """Return the indexes that hold some manifests, and the indexes that hold those.

        Returns:
            For each index, the digest of the one in it that led here.
        """
        found: dict[str, str] = {}
        waiting = list(digests)
        while waiting:
            held = waiting.pop()
            for parent in self._parents.get(held, _NONE):
                if parent not in found and self.holds(parent, held):
                    found[parent] = held
                    waiting.append(parent)
        return found

    def waves(self, digests: Iterable[str]) -> list[list[str]]:
        """Return manifests in an order in which none is deleted before a manifest that needs it.

        Those of one wave do not need each other. Where manifests need each other in a cycle, by a
        tag that names its subject, an index still comes before its children and a subject before
        its referrers.
        """
        left = dict.fromkeys(digests, 0)
        for digest in left.keys() & self._parents.keys():
            parents = self._parents[digest]
            left[digest] = sum(parent in left and parent != digest for parent in parents)
        waves: list[list[str]] = []
        while left:
            wave = [digest for digest, needing in left.items() if not needing]
            if not wave:
                wave = [min(left, key=lambda digest: (self._is_needed(digest, left), digest))]
            waves.append(wave)
            if len(wave) == len(left):
                break
            for digest in wave:
                del left[digest]
            for digest in filter(self._needing.__contains__, wave):
                for needed in self.needs(digest):
                    if needed in left:
                        left[needed] -= 1
        return waves

    def after_the_first(self, digests: Iterable[str]) -> list[str]:
        """Return those of some manifests that come after the first of their `waves`, in order."""
        # Whatever is not related to others comes first, as what stands for all of it here does.
        related = filter(self.related.__contains__, digests)
        return [one for wave in self.waves(chain([""], related))[1:] for one in wave]

    def _is_needed(self, digest: str, among: Collection[str]) -> bool:
        """Return whether one of some manifests needs a manifest by what its document names."""
        return any(
            parent in among and (parent, digest) in self._documented
            for parent in self._parents.get(digest, _NONE)
            if parent != digest
        )

"""Random registries, and what is freed in them when something is really deleted."""

from copy import deepcopy
from random import Random

from aioregistry.sandbox import State
from aioregistry.sandbox.state.collection import BOTH, UNREFERENCED, _untagged, collect
from aioregistry.sandbox.state.model import Registry
from tests.cleanup.registries import NOW, Builder, digest_of, random_registry


def random_state(random: Random) -> State:
    """A registry in which repositories share blobs and whole manifests, one has a blob twice."""
    state = random_registry(random, repositories=random.randint(1, 4), size=9)
    registry = state.registries["example"]
    names = list(registry.repositories)
    for number in range(random.randint(0, 3)):
        known, size = random.choice(list(registry.blobs.items()))
        blobs = [(digest_of(f"both {number}"), 500 + number), (f"sha256:{known.hex()}", size)]
        if random.random() < 0.5:
            blobs.append(blobs[0])
        for name in random.sample(names, min(2, len(names))):
            tags = [f"both{number}"] if random.random() < 0.7 else []
            Builder(state, name).image(*tags, blobs=blobs)
    if random.random() < 0.5:
        builder = Builder(state, names[0])
        children = [
            builder.image(platform="linux/amd64", blobs=[(digest_of("amd64"), 700)]),
            builder.image(platform="linux/arm64", blobs=[(digest_of("arm64"), 900)]),
        ]
        builder.index("multi", children=children)
    return state


class Oracle:
    """Deletes from copies of a registry, collects its garbage, and says what was freed."""

    def __init__(self, state: State) -> None:
        self._registry = state.registries["example"]
        collect(self._registry, UNREFERENCED, 0)

    def _copy(self) -> Registry:
        self._registry.texts.clear()
        return deepcopy(self._registry)

    @property
    def stored(self) -> int:
        return self._registry.storage_bytes

    def of_untagged(self) -> int:
        return collect(self._copy(), BOTH, 0)[1]

    def of_repository(self, name: str) -> int:
        registry = self._copy()
        registry.delete_repository(name)
        return collect(registry, UNREFERENCED, 0)[1]

    def of_tag(self, name: str) -> int:
        """What goes with a tag, and the manifests that no tag needs once it is deleted."""
        registry = self._copy()
        repository, _, tag = name.rpartition(":")
        before = {
            (each, one) for each, some in _untagged(registry, takes_children=False) for one in some
        }
        registry.repository(repository).delete_tag(tag)
        for each, some in _untagged(registry, takes_children=False):
            for one in some:
                if (each, one) not in before:
                    registry.delete_manifest(each, one)
        return collect(registry, UNREFERENCED, 0)[1]

    def repositories(self) -> list[str]:
        return list(self._registry.repositories)

    def tags(self) -> list[str]:
        found = self._registry.repositories.items()
        return [f"{name}:{tag}" for name, each in found for tag in each.tags]

    def of_days(self, least: float, most: float) -> int:
        """What goes with all manifests of an age."""
        registry = self._copy()
        for name, repository in list(registry.repositories.items()):
            for digest, manifest in list(repository.manifests.items()):
                days = (NOW.timestamp() - manifest.at / 1e6) / 86_400
                if least < days <= most:
                    registry.delete_manifest(name, digest)
        return collect(registry, UNREFERENCED, 0)[1]

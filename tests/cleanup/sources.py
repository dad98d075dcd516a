"""Contents straight from a sandbox's state, for tests that are about something else."""

from collections.abc import Callable, Iterable
from contextlib import nullcontext

from aioregistry.cleanup.manifests.content import Content, UnreadableContentError, parse_content
from aioregistry.sandbox import State
from aioregistry.sandbox.state import images
from aioregistry.sandbox.state.names import digest_bytes, digest_text


class StateContents:
    """What manifests say and where tags point, without a socket."""

    def __init__(self, state: State) -> None:
        self._state = state
        self.looks = 0
        self.on_look: Callable[[], None] = lambda: None

    async def read(
        self,
        repository: str,
        digests: Iterable[str],
        on_read: Callable[[int], object] | None = None,
    ) -> dict[str, Content | UnreadableContentError]:
        registry = self._state.registry("example")
        manifests = registry.repository(repository).manifests
        found: dict[str, Content | UnreadableContentError] = {}
        for digest in digests:
            manifest = manifests[digest_bytes(digest)]
            document = images.document_of(registry, manifest)
            found[digest] = parse_content(document, manifest.form.media_type)
        if on_read is not None:
            on_read(len(found))
        return found

    async def current_digest(self, repository: str, reference: str) -> str | None:
        self.looks += 1
        self.on_look()
        manifest = self._state.registry("example").repository(repository).find(reference)
        return None if manifest is None else digest_text(manifest.digest)

    async def list_tags(self, repository: str) -> list[str]:
        return list(self._state.registry("example").repository(repository).tags)

    async def prepare(self) -> None:
        """Nothing has to be asked for."""

    def without_api(self) -> nullcontext[None]:
        return nullcontext()

"""Contents straight from a sandbox's state, for tests that are about something else."""

from collections.abc import Callable, Iterable

from aioregistry.cleanup.manifests.content import (
    Content,
    MissingContentError,
    UnreadableContentError,
    parse_content,
)
from aioregistry.errors import NotFoundError
from aioregistry.sandbox import State
from aioregistry.sandbox.refusal import Refusal
from aioregistry.sandbox.state import images
from aioregistry.sandbox.state.model import Repository
from aioregistry.sandbox.state.names import digest_bytes, digest_text


class StateContents:
    """What manifests say and where tags point, without a socket."""

    registry_url: str | None = None

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
        held = self._find(repository)
        found: dict[str, Content | UnreadableContentError] = {}
        for digest in digests:
            manifest = None if held is None else held.manifests.get(digest_bytes(digest))
            if manifest is None:
                found[digest] = MissingContentError("manifest unknown")
                continue
            document = images.document_of(registry, manifest)
            found[digest] = parse_content(document, manifest.form.media_type)
        if on_read is not None:
            on_read(len(found))
        return found

    async def current_digest(self, repository: str, reference: str) -> str | None:
        self.looks += 1
        self.on_look()
        held = self._find(repository)
        manifest = None if held is None else held.find(reference)
        return None if manifest is None else digest_text(manifest.digest)

    async def list_tags(self, repository: str) -> list[str]:
        held = self._find(repository)
        if held is None:
            raise NotFoundError("repository name not known to registry", status=404)
        return list(held.tags)

    def _find(self, repository: str) -> Repository | None:
        try:
            return self._state.registry("example").repository(repository)
        except Refusal:
            return None

"""Where a registry's lists are remembered."""

from contextlib import AbstractContextManager, nullcontext

from aioregistry.cleanup.manifests.reader import ContentReader, ContentSource
from aioregistry.cleanup.memory.memory import ListMemory

__all__ = ["open_memory"]


def open_memory(
    memory: ListMemory | bool, registry: str, contents: ContentSource
) -> AbstractContextManager[ListMemory | None]:
    """Return a context in which a memory is open, or None where there is none.

    Args:
        memory: One that is given; or whether to use the file ``lists-REGISTRY.sqlite`` beside the
            cache of `contents`, where it has one.
        registry: The registry's name.
        contents: Where manifests are read.
    """
    if isinstance(memory, ListMemory):
        return nullcontext(memory)
    cache = contents.cache if isinstance(contents, ContentReader) else None
    if cache is None or not memory:
        return nullcontext()
    return ListMemory(cache.path.with_name(f"lists-{registry}.sqlite"))

"""What is shown of an image: as nodes of a tree, and as a document for programs: pure."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from attrs import define, field

from aioregistry.cli.display.text import counted, safe, size_in_words
from aioregistry.images.config import ImageConfig
from aioregistry.images.inspection import ImageInspection, InspectedLayer, InspectedManifest

__all__ = ["Node", "document_of", "nodes_of"]

# JSON has all of it.
_MAX_CHARACTERS = 200
_MAX_ITEMS = 100
_MAX_NAMES = 20
_MAX_DEPTH = 8
_SHORT_DIGITS = 12
_NOT_SHARED = "shared with nothing listed"


@define
class Node:
    """A line, and the lines below it. Its text is safe to print."""

    text: str
    children: "list[Node]" = field(factory=list)


def nodes_of(found: ImageInspection, *, show_env: bool, short: bool, utc: bool) -> Node:
    """Return an image as a tree of lines.

    Args:
        found: The image.
        show_env: Whether the values of the environment's variables are shown.
        short: Whether digests are shortened.
        utc: Whether times are in UTC instead of local time.
    """
    return _Lines(found, show_env, short, utc).root()


class _Lines:
    def __init__(self, found: ImageInspection, show_env: bool, short: bool, utc: bool) -> None:
        self._found = found
        self._show_env = show_env
        self._short = short
        self._utc = utc
        self._manifests = {one.digest: one for one in found.manifests}
        self._shown: set[str] = set()

    def root(self) -> Node:
        found = self._found
        top = found.manifests[0]
        name = f"{found.registry}/{found.repository}@{self._digest(found.digest)}"
        root = Node(_line(f"{name}  {top.kind}, {size_in_words(found.size_bytes)}"))
        root.children.append(Node(safe(f"tags: {_first(found.tags) or 'none'}")))
        root.children.append(Node(_line(f"pushed: {self._time(found.pushed_at)}")))
        root.children += self._inside(top, 0)
        referrers = [
            one for one in found.manifests if one.refers_to and one.digest not in self._shown
        ]
        missing = [one for one in found.manifests if one.problem and one.digest not in self._shown]
        for one in dict.fromkeys((*_by_kind(referrers), *(each.digest for each in missing))):
            root.children.append(self._manifest(self._manifests[one], 0))
        root.children += self._decisions()
        return root

    def _inside(self, one: InspectedManifest, depth: int) -> Iterator[Node]:
        """Yield what is below a manifest's own line."""
        self._shown.add(one.digest)
        if one.problem:
            yield Node(_line(f"{one.kind}: {one.problem}"))
        if one.media_type:
            yield Node(_line(f"type: {one.media_type}"))
        if one.artifact_type:
            yield Node(_line(f"artifact type: {one.artifact_type}"))
        for predicate in one.predicates:
            yield Node(_line(f"states: {predicate}"))
        yield from self._texts("annotations", one.annotations or {})
        if one.config is not None:
            yield from self._config(one.config)
        yield from self._some("layers", map(self._layer, one.layers), len(one.layers))
        for digest in one.children[:_MAX_ITEMS]:
            child = self._manifests.get(digest)
            if child is not None:
                yield self._manifest(child, depth + 1)
        if len(one.children) > _MAX_ITEMS:
            yield Node(f"and {len(one.children) - _MAX_ITEMS:,} more; -o json shows all")

    def _manifest(self, one: InspectedManifest, depth: int) -> Node:
        about = self._manifests.get(one.refers_to or "")
        of = ""
        if one.refers_to is not None:
            platform = None if about is None else about.platform
            of = f" of {platform or self._digest(one.refers_to)}"
        name = one.kind if one.refers_to is not None or one.platform is None else one.platform
        size = f"  {size_in_words(one.size_bytes)}" if one.size_bytes else ""
        tag = f"  {one.tag}" if one.tag is not None else ""
        node = Node(_line(f"{name}{of}  {self._digest(one.digest)}{size}{tag}"))
        if one.digest in self._shown:
            node.text += "  (shown above)"
        elif depth > _MAX_DEPTH:
            node.text += "  (nested too deep; -o json shows it)"
        else:
            node.children += self._inside(one, depth)
        return node

    def _config(self, config: ImageConfig) -> Iterator[Node]:
        if config.problem:
            yield Node(_line(f"config: {config.problem}"))
            return
        if config.created is not None:
            yield Node(_line(f"created: {self._time(config.created)}"))
        facts = (
            ("author", config.author),
            ("entrypoint", _command(config.entrypoint)),
            ("cmd", _command(config.cmd)),
            ("user", config.user),
            ("working dir", config.working_dir),
            ("stop signal", config.stop_signal),
            ("ports", ", ".join(config.ports)),
            ("volumes", ", ".join(config.volumes)),
        )
        for name, value in facts:
            if value:
                yield Node(_line(f"{name}: {value}"))
        env = config.env or {}
        if self._show_env:
            yield from self._texts("env", env)
        elif env:
            yield Node(_line(f"env: {', '.join(env)} (--show-env shows values)"))
        yield from self._texts("labels", config.labels or {})

    def _layer(self, layer: InspectedLayer) -> Node:
        size = "size unknown" if layer.size_bytes is None else size_in_words(layer.size_bytes)
        shared = _NOT_SHARED
        if layer.shared_count:
            more = layer.shared_count - len(layer.shared_with)
            names = ", ".join(map(self._name, layer.shared_with))
            shared = f"shared with {names}" + (f" and {more:,} more" if more else "")
        elsewhere = ", may be stored elsewhere" if layer.is_elsewhere else ""
        # Names of images are bounded, and cut off they name none.
        return Node(safe(f"{self._digest(layer.digest)}  {size}{elsewhere}, {shared}"))

    def _decisions(self) -> Iterator[Node]:
        for one in self._found.decisions:
            does = "deleted" if one.deleted else "kept"
            name = one.tag or self._digest(one.digest)
            node = Node(_line(f"policy: {name} is {does}: {one.reason}"))
            node.children += [
                Node(_line(f"{'* ' if answer.decides else ''}{answer}")) for answer in one.rules
            ]
            yield node

    def _texts(self, name: str, texts: Mapping[str, str]) -> Iterator[Node]:
        lines = (Node(_line(f"{key}={value}")) for key, value in sorted(texts.items()))
        yield from self._some(name, lines, len(texts))

    def _some(self, name: str, nodes: Iterable[Node], count: int) -> Iterator[Node]:
        if not count:
            return
        top = Node(f"{name}: {count:,}")
        for number, node in enumerate(nodes):
            if number == _MAX_ITEMS:
                top.children.append(Node(f"and {count - number:,} more; -o json shows all"))
                break
            top.children.append(node)
        yield top

    def _digest(self, digest: str) -> str:
        algorithm, _, digits = digest.partition(":")
        return f"{algorithm}:{digits[:_SHORT_DIGITS]}" if self._short else digest

    def _name(self, name: str) -> str:
        repository, at, digest = name.partition("@")
        return f"{repository}@{self._digest(digest)}" if at else name

    def _time(self, time: datetime | None) -> str:
        if time is None:
            return "unknown"
        try:
            shown = time.astimezone(UTC if self._utc else None)
        except (OverflowError, OSError):
            # Beyond the ends of the calendar there is no other zone.
            shown = time
        return f"{shown:%Y-%m-%d %H:%M:%S}{'Z' if self._utc else ''}"


def _by_kind(manifests: Iterable[InspectedManifest]) -> Iterator[str]:
    for one in sorted(manifests, key=lambda each: (each.kind, each.digest)):
        yield one.digest


def _line(text: str) -> str:
    text = safe(text)
    if len(text) <= _MAX_CHARACTERS:
        return text
    more = counted(len(text) - _MAX_CHARACTERS, "more character")
    return f"{text[:_MAX_CHARACTERS]}… ({more})"


def _first(names: tuple[str, ...]) -> str:
    more = len(names) - _MAX_NAMES
    return ", ".join(names[:_MAX_NAMES]) + (f" and {more:,} more" if more > 0 else "")


def _command(words: tuple[str, ...]) -> str:
    return " ".join(repr(word) if not word or " " in word else word for word in words)


def document_of(found: ImageInspection, *, show_env: bool) -> dict[str, Any]:
    """Return an image as a document for programs.

    Args:
        found: The image.
        show_env: Whether the values of the environment's variables are in it.
    """
    return {
        "registry": found.registry,
        "repository": found.repository,
        "digest": found.digest,
        "tags": list(found.tags),
        "pushed_at": _iso(found.pushed_at),
        "size_bytes": found.size_bytes,
        "listed_manifests": found.listed_manifests,
        "manifests": [_manifest_document(one, show_env) for one in found.manifests],
        "decisions": [
            {
                "tag": one.tag or None,
                "digest": one.digest,
                "deleted": one.deleted,
                "reason": one.reason,
                "rules": [
                    {"rule": each.rule, "answer": each.answer, "decides": each.decides}
                    for each in one.rules
                ],
            }
            for one in found.decisions
        ],
    }


def _manifest_document(one: InspectedManifest, show_env: bool) -> dict[str, Any]:
    return {
        "digest": one.digest,
        "kind": one.kind,
        "media_type": one.media_type,
        "artifact_type": one.artifact_type,
        "platform": one.platform,
        "size_bytes": one.size_bytes,
        "config": None if one.config is None else _config_document(one.config, show_env),
        "layers": [
            {
                "digest": layer.digest,
                "media_type": layer.media_type,
                "size_bytes": layer.size_bytes,
                "shared_count": layer.shared_count,
                "shared_with": list(layer.shared_with),
                "is_elsewhere": layer.is_elsewhere,
            }
            for layer in one.layers
        ],
        "children": list(one.children),
        "refers_to": one.refers_to,
        "tag": one.tag,
        "predicates": list(one.predicates),
        "annotations": one.annotations or {},
        "problem": one.problem or None,
    }


def _config_document(config: ImageConfig, show_env: bool) -> dict[str, Any]:
    env = config.env or {}
    return {
        "digest": config.digest,
        "created": _iso(config.created),
        "platform": config.platform,
        "author": config.author,
        "entrypoint": list(config.entrypoint),
        "cmd": list(config.cmd),
        "env": dict(env) if show_env else dict.fromkeys(env),
        "user": config.user,
        "working_dir": config.working_dir,
        "stop_signal": config.stop_signal,
        "ports": list(config.ports),
        "volumes": list(config.volumes),
        "labels": config.labels or {},
        "layers": config.layers,
        "history": config.history,
        "problem": config.problem or None,
    }


def _iso(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat()

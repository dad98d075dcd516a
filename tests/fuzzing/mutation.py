"""Documents changed at random, most of them so that they are still nearly right."""

import json
import re
from collections.abc import Sequence
from random import Random
from typing import Any

DIGEST = "sha256:" + "a" * 64
# As they stand in JSON, in YAML and, most of them, in TOML.
_VALUES = (
    "null",
    "true",
    "0",
    "-1",
    "1.0",
    "1e999",
    "-0",
    "NaN",
    "Infinity",
    "-Infinity",
    "9" * 20,
    "9" * 400,
    "9" * 5000,
    "0x" + "f" * 5000,
    '""',
    '"x"',
    '"\\ud800"',
    '"\\u0000"',
    '"\\u001b[2J"',
    '"é"',
    f'"{DIGEST}"',
    '"0001-01-01T00:00:00Z"',
    '"0001-01-01t00:00:00z"',
    '"\\u0030001-01-01T00:00:00Z"',
    '"0001-01-01T00:00:00+23:59"',
    '"9999-12-31T23:59:59-23:59"',
    '"2026-01-01T00:00:00"',
    "2026-01-01",
    "[]",
    "[[]]",
    '["x"]',
    "{}",
    '{"x": 1}',
    "0:" + "59:" * 250 + "0.5",
    "!!int ''",
    "!!bool x",
    "!!timestamp x",
    "!!binary x",
    "&a [*a]",
    "? [x, y]",
)
_PIECES = (
    *(value.encode() for value in _VALUES),
    b"\xef\xbb\xbf",
    b"\x00",
    b"\xff",
    b"\xc3\xa9",
    b"\r\n",
    b"\n",
    b"\r",
    b"\t",
    b"\xe2\x80\xa8",
    b"/",
    b"..",
    b"%2F",
    b"%2e%2E",
    b"%00",
    b"\\",
    b'"',
    b"'",
    b"@",
    b":",
    b"://",
    b"#",
    b"?",
    b"&",
    b"=",
    b",",
    b"*",
    b"[",
    b"]",
    b"-",
    b"a" * 300,
    b"1" * 30,
    DIGEST.encode(),
)
_TOKEN = re.compile(rb"\w+|\s+|[^\w\s]")
_LONGEST = 300_000


class _Raw(str):
    """A value as it is to stand in the text."""

    __slots__ = ()


class _Object(list):
    """An object's keys and values: as pairs, a key may come twice."""


def mutate(document: bytes, random: Random, others: Sequence[bytes] = ()) -> bytes:
    """Return a document with a few changes; `others` lend it parts of theirs."""
    for _ in range(random.choice((1, 1, 1, 2, 2, 3, 5))):
        document = _changed(document, random, others)[:_LONGEST]
    return document


def _changed(document: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    if random.random() < 0.6:
        try:
            tree = json.loads(document, object_pairs_hook=_Object)
            if isinstance(tree, list):
                _change_tree(tree, random)
                return _dumped(tree, random).encode("utf-8", "surrogatepass")
        except (ValueError, RecursionError):
            pass
    change = random.choice((_change_lines, _change_tokens, _change_tokens, _change_bytes, _wrap))
    return (
        _spliced(document, random, others) if random.random() < 0.05 else change(document, random)
    )


def _containers(tree: list[Any]) -> list[list[Any]]:
    found, waiting = [], [tree]
    while waiting:
        container = waiting.pop()
        found.append(container)
        values = (entry[1] for entry in container) if isinstance(container, _Object) else container
        waiting.extend(value for value in values if isinstance(value, list))
    return found


def _change_tree(tree: list[Any], random: Random) -> None:
    filled = [container for container in _containers(tree) if container]
    if not filled:
        tree.append(["x", 1] if isinstance(tree, _Object) else 1)
        return
    container = random.choice(filled)
    at = random.randrange(len(container))
    action = random.randrange(6)
    if action == 0:
        del container[at]
    elif action == 1:
        entry = container[at]
        container.insert(
            random.randrange(len(container) + 1),
            list(entry) if isinstance(container, _Object) else entry,
        )
    elif action == 2:
        other = random.randrange(len(container))
        container[at], container[other] = container[other], container[at]
    elif action == 3 and isinstance(container, _Object):
        container[at] = [_changed_text(container[at][0], random), container[at][1]]
    else:
        value = container[at][1] if isinstance(container, _Object) else container[at]
        value = _changed_value(value, random)
        container[at] = [container[at][0], value] if isinstance(container, _Object) else value


def _changed_value(value: Any, random: Random) -> Any:
    action = random.randrange(5)
    if action == 0 and type(value) is str:
        return _changed_text(value, random)
    if action == 1:
        return [value]
    if action == 2:
        return _Raw(_nested(random))
    return _Raw(random.choice(_VALUES))


def _changed_text(text: str, random: Random) -> str:
    changed = _change_bytes(text.encode("utf-8", "surrogatepass"), random)
    return changed.decode("utf-8", random.choice(("replace", "surrogateescape")))


def _nested(random: Random) -> str:
    depth = random.choice((20, 200, random.randrange(900, 1000), 1100, 100_000))
    opening, closing = random.choice((("[", "]"), ('{"x":', "}")))
    return opening * depth + random.choice(("", "1")) + closing * depth


def _dumped(tree: Any, random: Random) -> str:
    """Return it as JSON, with a raw value as it is, on one line or on many."""
    end = random.choice(("", "", "\n", "\r\n"))

    def dumped(value: Any) -> str:
        if isinstance(value, _Raw):
            return str(value)
        if isinstance(value, _Object):
            return f"{{{f',{end}'.join(f'{dumped(k)}: {dumped(v)}' for k, v in value)}{end}}}"
        if isinstance(value, list):
            return f"[{f',{end}'.join(map(dumped, value))}{end}]"
        return json.dumps(value, ensure_ascii=False)

    return dumped(tree)


def _change_lines(document: bytes, random: Random) -> bytes:
    return b"".join(_rearranged(document.splitlines(keepends=True), random))


def _change_tokens(document: bytes, random: Random) -> bytes:
    return b"".join(_rearranged(_TOKEN.findall(document), random))


def _rearranged(parts: list[bytes], random: Random) -> list[bytes]:
    at = random.randrange(len(parts) + 1)
    end = min(len(parts), at + random.choice((1, 1, 1, 2, 5)))
    action = random.randrange(5)
    if action == 0:
        del parts[at:end]
    elif action == 1:
        parts[at:at] = parts[at:end] * random.choice((1, 2, 50))
    elif action == 2:
        parts[at:end] = [random.choice(_PIECES)]
    elif action == 3:
        parts.insert(at, random.choice(_PIECES))
    elif parts:
        parts[at:end] = [random.choice(parts)]
    return parts


def _change_bytes(document: bytes, random: Random) -> bytes:
    at = random.randrange(len(document) + 1)
    action = random.randrange(4)
    if action == 0:
        return document[:at]
    if action == 1 and at < len(document):
        return (
            document[:at] + bytes([document[at] ^ (1 << random.randrange(8))]) + document[at + 1 :]
        )
    if action == 2:
        return document[:at] + document[at + random.choice((1, 2, 10)) :]
    return document[:at] + random.choice(_PIECES) + document[at:]


def _wrap(document: bytes, random: Random) -> bytes:
    action = random.randrange(5)
    if action == 0:
        return b"\xef\xbb\xbf" + document
    if action == 1:
        return document.replace(b"\n", b"\r\n")
    if action == 2:
        return _nested(random).encode()
    if action == 3:
        return b"[" + document + b"]"
    return document + document


def _spliced(document: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    other = random.choice(others) if others else document
    return (
        document[: random.randrange(len(document) + 1)] + other[random.randrange(len(other) + 1) :]
    )

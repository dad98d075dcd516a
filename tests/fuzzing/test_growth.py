"""The work of a reader grows with what it is given, and not much faster."""

import sys

import pytest

from tests.fuzzing.readers import READERS

pytestmark = pytest.mark.slow(0.2)

# Each makes a document of about so many bytes, of one kind of thing alone.
GROWING = {
    "names": lambda size: b"a-" * (size // 2),
    "references": lambda size: b"a+" * 500,
    "links": lambda size: b"https://a/?" + b"page_token=%41&" * (size // 15),
    "headers": lambda size: b"www: " + b"a " * (size // 2),
    "challenges": lambda size: b"localhost\n" + b'a b="\\x", ' * (size // 11),
    "tokens": lambda size: b'{"token": "' + b"a" * size + b'"}',
    "answers": lambda size: b'{"tags": [' + b",".join([b'{"tag": "v1"}'] * (size // 14)) + b"]}",
    "policy-toml": lambda size: b"[[rules]]\nkeep = true\n" * (size // 22),
    "policy-yaml": lambda size: b"rules:\n" + b"- keep: true\n" * (size // 130),
    "policy-json": lambda size: b'{"rules": [' + b'{"keep": true},' * (size // 150) + b"{}]}",
    "durations": lambda size: b"1" * size,
    "manifests": lambda size: (
        b'{"manifests": [' + b'{"digest": "sha256:%064x"},' % 1 * (size // 85) + b"{}]}"
    ),
    "plan": lambda size: b'{"plan": [' + b"1," * (size // 2) + b"1]}",
    "in-use": lambda size: b"example/web:v1\n" * (size // 15),
    "doctl": lambda size: b"".join(b"k%d: v\n" % n for n in range(size // 80)),
    "settings": lambda size: b"".join(b"[profiles.p%d]\n" % n for n in range(size // 40)),
}
_SIZE = 20_000
_LONGEST_KEY = 100_000
_TIMES = 4


def calls(reader: str, size: int) -> int:
    """Return how many calls it takes: a measure that no busy machine changes."""
    document = GROWING[reader](size)
    count = 0

    def note(*_: object) -> None:
        nonlocal count
        count += 1

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        READERS[reader].understands(document)
    finally:
        sys.setprofile(before)
    return count


@pytest.mark.parametrize("reader", GROWING)
def test_four_times_as_much_takes_little_more_than_four_times_as_many_calls(reader):
    small, large = calls(reader, _SIZE), calls(reader, _SIZE * _TIMES)
    # Quadratic would be 16.
    assert large < max(1_000, 6 * small)


def test_a_key_without_end_is_refused():
    assert not READERS["policy-toml"].understands(b"a." * (_LONGEST_KEY // 2) + b"b = 1")

"""What is read from the links between pages."""

import pytest

from aioregistry import InvalidResponseError
from aioregistry.paging.links import Link

HERE = "https://api.example.com/v2/registry/example/repositoriesV2"


@pytest.mark.parametrize(
    ("url", "link"),
    [
        (None, None),
        (f"{HERE}?page=3", Link(3, None, None)),
        (f"{HERE}?page=3&per_page=20", Link(3, None, 20)),
        (f"{HERE}?per_page=20&page=3", Link(3, None, 20)),
        (f"{HERE}?page_token=a%2Fb&per_page=7&page=2", Link(2, "a/b", 7)),
        (f"{HERE}?page_token=x&page_token=y", Link(None, "y", None)),
        (f"{HERE}?page=1&page=4&x=1", Link(4, None, None)),
        (f"{HERE}?page=0&per_page=-1&x", Link(None, None, None)),
        (f"{HERE}?page=1234567890&x=1", Link(1234567890, None, None)),
        (f"{HERE}?page=12345678901&x=1", Link(None, None, None)),
        (f"{HERE}?page=%D9%A3&x=1", Link(None, None, None)),
        ("?page=5&x=1", Link(5, None, None)),
        (f"{HERE}#?page=3", Link(None, None, None)),
        ("", Link(None, None, None)),
    ],
)
def test_a_link_is_read_for_its_query(url, link):
    assert Link.parse(url) == link


@pytest.mark.parametrize("count", [100, 101])
def test_a_link_of_too_many_fields_is_refused(count):
    url = f"{HERE}?" + "&".join(f"x={number}" for number in range(count))
    if count == 100:
        assert Link.parse(url) == Link(None, None, None)
        return
    with pytest.raises(InvalidResponseError, match="cannot be read"):
        Link.parse(url)

"""What is taken for gone: only what the API and the registry agree on."""

import pytest

from aioregistry import NotFoundError, PartialListingError, Repository, ServerError
from aioregistry.cleanup.apply.absence import exist, is_gone, repository_remains

NAMES = [f"tag{number}" for number in range(40)]


class Registry:
    """The registry itself, of which each look ends as told."""

    def __init__(self, looks=(), tags=None):
        self._looks = iter(looks)
        self._tags = tags
        self.asked: list[str] = []

    async def current_digest(self, repository, reference):
        self.asked.append(reference)
        look = next(self._looks, None)
        if isinstance(look, Exception):
            raise look
        return look

    async def list_tags(self, repository):
        if isinstance(self._tags, Exception):
            raise self._tags
        return self._tags


class Listed:
    """The API's list of repositories."""

    def __init__(self, *names, complete=True):
        self._repositories = [Repository(name=name) for name in names]
        self._complete = complete

    def repositories(self):
        return self

    async def collect(self, *, require_complete):
        if require_complete is True and not self._complete:
            raise PartialListingError("3 of 9")
        return self._repositories


def failures(count: int) -> list[ServerError]:
    return [ServerError(f"failure {number}") for number in range(count)]


async def test_after_ten_looks_that_fail_the_last_failure_is_that_of_all_the_others():
    errors = failures(10)
    registry = Registry(errors)
    found = await exist(registry, "web", NAMES)
    assert registry.asked == NAMES[:10]
    assert [found[name] for name in NAMES[:10]] == errors
    assert {found[name] for name in NAMES[10:]} == {errors[-1]}


async def test_a_look_that_succeeds_counts_the_failures_anew():
    first, second = failures(9), failures(10)
    registry = Registry([*first, "sha256:x", *second])
    found = await exist(registry, "web", NAMES)
    assert registry.asked == NAMES[:20]
    assert found[NAMES[9]] is True
    assert found[NAMES[39]] is second[-1]


async def test_a_repository_whose_tags_are_listed_remains():
    assert await repository_remains(Registry(tags=["a"]), "web", ()) is True


@pytest.mark.parametrize("tags", [[], NotFoundError("none")])
async def test_where_no_tags_are_listed_the_first_sixteen_parts_are_asked_for(tags):
    registry = Registry([None, None, "sha256:x"], tags=tags)
    assert await repository_remains(registry, "web", NAMES) is True
    assert registry.asked == NAMES[:16]
    assert await repository_remains(Registry(tags=tags), "web", NAMES) is False


async def test_a_part_that_cannot_be_looked_at_leaves_it_open():
    with pytest.raises(ServerError, match="failure 0"):
        await repository_remains(Registry(failures(1), tags=[]), "web", NAMES)


@pytest.mark.parametrize(
    ("listed", "tags", "is_so"),
    [
        (Listed(), NotFoundError("none"), True),
        (Listed("api", "zzz"), [], True),
        # A passing 404 of either side settles nothing.
        (Listed("api", "web"), NotFoundError("none"), False),
        (Listed("api"), ["v1"], False),
        (Listed("api", complete=False), NotFoundError("none"), False),
        (Listed(), ServerError("away"), False),
    ],
)
async def test_a_repository_is_gone_when_both_sides_say_so(listed, tags, is_so):
    assert await is_gone(listed, "web", Registry(tags=tags)) is is_so

"""On paper: registries and accounts that no test can hold, by the virtual clock and by counting."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.before import plan_of_this_build
from benchmarks.effort import Effort
from benchmarks.job import PER_PAGE
from benchmarks.results import Detail, Row, Section
from benchmarks.server import REPOSITORIES
from benchmarks.simulate import PATTERNS, alone, beside_another, on_many_tokens
from tests.ratelimit.strict_server import HOUR, MINUTE, best_possible

__all__ = ["on_paper"]

_REPOSITORIES = 2_000
_MANIFESTS, _TAGS = 5_000, 5_500
# Of the manifests so many are deleted, and so many more requests look again: see `clean_ups`.
_CONDEMNED, _LOOKS = 0.75, 0.05
_TOKENS = 100
_REGISTRIES_OF_A_TOKEN = 2
_SMALL_REPOSITORIES = 1_000
_HALF = 0.5
# Two sizes that are measured, in parts of the largest: what they differ by goes on as a line.
_PARTS = (10, 2)
_HOUR = HOUR[1]


def on_paper(effort: Effort) -> Section:
    """Simulate what is too large to be measured."""
    manifests = _REPOSITORIES * _MANIFESTS
    lists = _pages(_REPOSITORIES) + _REPOSITORIES * (_pages(_MANIFESTS) + _pages(_TAGS))
    first = alone(lists)
    again = alone(_pages(_REPOSITORIES) + _REPOSITORIES // 100 * _pages(_MANIFESTS))
    deletes = round(manifests * _CONDEMNED * (1 + _LOOKS))
    applied = best_possible(deletes, MINUTE, HOUR) * first.ratio
    # One list of each repository, and the second of one in ten.
    small = _pages(_SMALL_REPOSITORIES) + round(1.1 * _SMALL_REPOSITORIES)
    each = _REGISTRIES_OF_A_TOKEN * small
    tokens = on_many_tokens(_TOKENS, each)
    halves = [
        beside_another(pattern, before=1_000.0, count=effort.shared, share=_HALF)
        for pattern in PATTERNS
    ]
    slowest = max(halves, key=lambda one: one.seconds)
    measured = [_peak(effort.planned // part) for part in _PARTS if effort.planned]
    what = f"{manifests:,} manifests in {_REPOSITORIES:,} repositories"
    accounts = f"{_TOKENS} tokens with {_TOKENS * _REGISTRIES_OF_A_TOKEN} registries"
    beside = f"{effort.shared:,} DELETEs on a token of which others take half"
    return Section(
        "On paper",
        "A strict server with both real windows, on a virtual clock: the requests are those that "
        "this program sends, the hours those that they take at the limit. DELETEs of ten million "
        "manifests are counted, and take as much longer than the best possible schedule as the "
        "lists do. Contents cost no quota. Memory is the largest of planning and writing the plan, "
        "measured for two smaller registries of the same shape (50 repositories, the first with "
        "two ninths of all tags, contents cached) and continued as a line. The next wall is the "
        "API's: at 5,000 requests an hour, one token deletes 3.4 million manifests in a month, so "
        "what is cleaned every night never comes to ten million; a first clean-up that has to is "
        "split over tokens (accounts), or into `delete-repository` where all of a repository may "
        "go.",
        (
            Row(f"{what}: 429s", (first.rejected, again.rejected), worst=True),
            Row(f"{accounts}, planned at once: 429s", (tokens.rejected,)),
            Row(
                f"{beside}: over the best possible in what is left",
                tuple(one.ratio for one in halves),
                worst=True,
            ),
            *_memory(measured, manifests),
        ),
        detail=Detail(
            ("job", "requests", "hours"),
            (
                (f"{what}: first plan", f"{lists:,}", _hours(first.seconds)),
                (f"{what}: a night, 1% changed", _requests_again(), _hours(again.seconds)),
                (f"{what}: 75% deleted", f"{deletes:,}", _hours(applied)),
                (f"{accounts}: first plan", f"{_TOKENS * each:,}", _hours(tokens.seconds)),
                (beside, f"{effort.shared:,}", _hours(slowest.seconds)),
            ),
        ),
    )


def _peak(tags: int) -> tuple[float, float]:
    """Measure a plan; return its manifests and the MiB that it took at most."""
    with TemporaryDirectory() as folder:
        _, peak, _, manifests, _ = plan_of_this_build(tags, min(tags, REPOSITORIES), Path(folder))
    return manifests, peak


def _memory(measured: list[tuple[float, float]], manifests: int) -> Iterator[Row]:
    for count, peak in measured:
        yield Row(f"{count:,.0f} manifests: peak of planning, measured", (peak,), unit="MiB")
    if len(measured) == len(_PARTS):
        (few, low), (many, high) = measured
        slope = (high - low) / (many - few)
        what = f"{manifests:,} manifests: peak of planning, by the line through those"
        yield Row(what, (high + slope * (manifests - many),), unit="MiB")


def _requests_again() -> str:
    return f"{_pages(_REPOSITORIES) + _REPOSITORIES // 100 * _pages(_MANIFESTS):,}"


def _pages(items: int) -> int:
    return -(-items // PER_PAGE)


def _hours(seconds: float) -> str:
    return f"{seconds / _HOUR:,.1f}"

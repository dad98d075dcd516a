"""Deleting many: what is sent, and the outcome of each item."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import nullcontext

import pytest
from multidict import CIMultiDict

from aioregistry import Progress, RateLimit, RegistryClient, RetryPolicy
from aioregistry.bulk.report import BulkDeleteError, DeletionReport, Outcome
from aioregistry.errors import (
    AuthenticationError,
    ClientClosedError,
    InvalidNameError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitedError,
    RegistryError,
    ServerError,
)
from aioregistry.ratelimit.limiter import WindowLimiter
from aioregistry.sandbox import Sandbox
from aioregistry.session.answers import Answer
from tests.bulk.registry import (
    DIGEST,
    HANG,
    REFUSED,
    TIMEOUT,
    Client,
    Registry,
    names,
    now,
    of,
)
from tests.conftest import push_tags
from tests.ratelimit.strict_server import virtual

# The fan-out.


@virtual
async def test_no_more_than_the_fan_out_is_under_way(registry):
    report = await Client(registry, concurrency=4).repository.delete_tags(names(50))
    assert registry.most_in_flight == 4
    assert of(report.deleted) == names(50)


@virtual
async def test_each_item_is_one_request(registry):
    await Client(registry).repository.delete_tags(names(50))
    assert Counter(name for _, _, name in registry.sent) == Counter(names(50))


@virtual
async def test_manifests_are_deleted_by_digest(registry):
    report = await Client(registry).repository.delete_manifests([DIGEST])
    assert of(report.deleted) == [DIGEST]
    assert [name for _, _, name in registry.sent] == [DIGEST]


@pytest.mark.parametrize("empty", [[], iter(()), {}, set()])
@virtual
async def test_nothing_to_delete_sends_nothing(registry, empty):
    assert await Client(registry).repository.delete_tags(empty) == DeletionReport()
    assert registry.sent == []


@pytest.mark.parametrize("kind", [list, tuple, iter, set, dict.fromkeys])
@virtual
async def test_any_iterable_of_names_will_do(registry, kind):
    report = await Client(registry).repository.delete_tags(kind(names(9)))
    assert sorted(of(report.deleted)) == names(9)


@virtual
async def test_an_async_iterable_is_read_no_faster_than_it_is_worked_off(registry):
    ahead = []
    told: list[Outcome] = []

    async def source() -> AsyncIterator[str]:
        for number, name in enumerate(names(100)):
            ahead.append(number - len(told))
            yield name

    await Client(registry, concurrency=4).repository.delete_tags(source(), on_outcome=told.append)
    assert len(told) == 100
    assert max(ahead) < 4


@virtual
async def test_an_iterable_is_read_no_faster_than_it_is_worked_off(registry):
    ahead = []
    told: list[Outcome] = []

    def source():
        for number, name in enumerate(names(100)):
            ahead.append(number - len(told))
            yield name

    await Client(registry, concurrency=4).repository.delete_tags(source(), on_outcome=told.append)
    assert max(ahead) < 4


@virtual
async def test_a_slow_source_keeps_nobody_from_finishing(registry):
    told = []

    async def source() -> AsyncIterator[str]:
        yield "v0"
        await asyncio.sleep(60.0)
        yield "v1"

    def tell(outcome: Outcome) -> None:
        told.append((outcome.name, round(now(), 1)))

    await Client(registry).repository.delete_tags(source(), on_outcome=tell)
    assert told == [("v0", 0.1), ("v1", 60.1)]


# Outcomes.


@virtual
async def test_outcomes_are_told_as_items_finish(registry):
    registry.seconds = {"v0": 3.0, "v1": 1.0, "v2": 2.0}
    told = []

    def tell(outcome: Outcome) -> None:
        told.append((outcome.name, outcome.status, round(now())))

    report = await Client(registry).repository.delete_tags(names(3), on_outcome=tell)
    assert told == [("v1", "deleted", 1), ("v2", "deleted", 2), ("v0", "deleted", 3)]
    assert of(report.deleted) == names(3)


@virtual
async def test_one_bad_item_never_stops_the_rest(registry):
    registry.ends = {"gone": [404], "busy": [503], "forbidden": [403], "silent": [TIMEOUT]}
    given = ["v0", "..", "gone", "v1", "busy", "forbidden", "silent", "v2", "no/tag", "v3"]
    report = await Client(registry).repository.delete_tags(given)
    assert of(report.deleted) == names(4)
    assert of(report.absent) == ["gone"]
    assert of(report.failed) == ["..", "busy", "forbidden", "no/tag"]
    assert of(report.unknown) == ["silent"]
    assert report.not_attempted == ()
    assert [type(outcome.error) for outcome in report.failed] == [
        InvalidNameError,
        ServerError,
        PermissionDeniedError,
        InvalidNameError,
    ]


@virtual
async def test_each_list_is_in_the_order_of_the_input(registry):
    given = names(60)
    for number, name in enumerate(given):
        registry.seconds[name] = (number * 7 % 13) / 10
        registry.ends[name] = [[204, 404, 403][number % 3]]
    report = await Client(registry, concurrency=16).repository.delete_tags(given)
    assert of(report.deleted) == given[0::3]
    assert of(report.absent) == given[1::3]
    assert of(report.failed) == given[2::3]
    assert [outcome.index for outcome in report.failed] == list(range(2, 60, 3))


@virtual
async def test_a_name_that_comes_twice_has_two_outcomes(registry):
    registry.ends = {"v0": [204, 404]}
    report = await Client(registry, concurrency=1).repository.delete_tags(["v0", "v0"])
    assert (of(report.deleted), of(report.absent)) == (["v0"], ["v0"])


@virtual
async def test_a_delete_that_was_lost_and_is_gone_then_is_deleted(registry):
    registry.ends = {"v0": [TIMEOUT, 404]}
    report = await Client(registry).repository.delete_tags(["v0"])
    assert [(outcome.name, outcome.attempts) for outcome in report.deleted] == [("v0", 2)]


@pytest.mark.parametrize(
    ("ends", "status"),
    [
        ([TIMEOUT], "unknown"),
        ([TIMEOUT, 503, 503], "unknown"),
        ([TIMEOUT, 403], "unknown"),
        ([503, TIMEOUT, REFUSED], "unknown"),
        ([REFUSED, TIMEOUT, 204], "deleted"),
        ([REFUSED], "failed"),
        ([500], "unknown"),
        ([502], "unknown"),
        ([504], "unknown"),
        ([504, 503], "unknown"),
        ([503], "failed"),
        ([REFUSED, 404], "absent"),
    ],
)
@virtual
async def test_what_no_answer_settles_is_unknown(registry, ends, status):
    registry.ends = {"v0": list(ends)}
    report = await Client(registry).repository.delete_tags(["v0"])
    assert of(getattr(report, status)) == ["v0"]


@virtual
async def test_what_may_not_wait_for_quota_was_not_attempted(registry):
    limiter = WindowLimiter(RateLimit(windows=((3, 60.0),), max_wait=1.0))
    report = await Client(registry, 1, limiter).repository.delete_tags(names(5))
    assert of(report.deleted) == names(3)
    assert of(report.not_attempted) == ["v3", "v4"]
    assert isinstance(report.not_attempted[0].error, RateLimitedError)


@virtual
async def test_bulk_lets_interactive_requests_go_before(registry):
    limiter = WindowLimiter(RateLimit(windows=((1, 10.0),)))
    client = Client(registry, 4, limiter)
    bulk = asyncio.ensure_future(client.repository.delete_tags(names(4)))
    await asyncio.sleep(1.0)
    await client.repository.delete_tag("urgent")
    await bulk
    assert [name for _, _, name in registry.sent][:2] == ["v0", "urgent"]


# The token is refused.


@virtual
async def test_after_an_authentication_error_nothing_more_is_sent(registry):
    registry.ends = {"v5": [401]}
    report = await Client(registry, concurrency=4).repository.delete_tags(names(100))
    stop = next(at for at, _, name in registry.sent if name == "v5") + 0.1
    assert max(at for at, _, _ in registry.sent) < stop + 0.001
    assert of(report.failed) == ["v5"]
    told = [outcome.index for outcome in (*report.deleted, *report.failed, *report.not_attempted)]
    assert sorted(told) == list(range(100))
    assert len(report.deleted) == len(registry.sent) - 1
    assert {type(outcome.error) for outcome in report.not_attempted} == {AuthenticationError}


@virtual
async def test_what_is_under_way_at_an_authentication_error_is_answered(registry):
    registry.ends = {"v1": [401]}
    registry.seconds = {"v0": 5.0}
    report = await Client(registry, concurrency=2).repository.delete_tags(names(10))
    assert of(report.deleted) == ["v0"]


@virtual
async def test_an_authentication_error_calls_off_those_who_wait_for_quota(registry):
    registry.ends = {"v1": [401]}
    limiter = WindowLimiter(RateLimit(windows=((2, 60.0),)))
    report = await Client(registry, 4, limiter).repository.delete_tags(names(10))
    assert (of(report.deleted), of(report.failed)) == (["v0"], ["v1"])
    assert of(report.not_attempted) == names(10)[2:]
    assert len(registry.sent) == 2
    assert now() < 1.0


@virtual
async def test_an_authentication_error_calls_off_those_in_backoff(registry):
    busy = Answer(503, CIMultiDict({"retry-after": "60"}), b"")
    registry.ends = {"v0": [busy, 204], "v1": [401]}
    registry.seconds = {"v1": 1.0}
    report = await Client(registry, concurrency=2).repository.delete_tags(["v0", "v1"])
    assert of(report.failed) == ["v0", "v1"]
    assert len(registry.sent) == 2
    assert now() < 2.0


@virtual
async def test_an_unanswered_item_in_backoff_stays_unknown_after_an_authentication_error(registry):
    registry.ends = {"v0": [TIMEOUT, 204], "v1": [401]}
    registry.seconds = {"v1": 0.1001}
    retry = RetryPolicy(attempts=3, backoff=600.0, cap=600.0)
    report = await Client(registry, 2, retry=retry).repository.delete_tags(["v0", "v1"])
    assert (of(report.unknown), of(report.failed)) == (["v0"], ["v1"])
    assert len(registry.sent) == 2


@virtual
async def test_after_an_authentication_error_the_rest_of_the_source_is_read():
    registry = Registry()
    registry.ends = {"v0": [401]}

    async def source() -> AsyncIterator[str]:
        for name in names(1_000):
            yield name

    report = await Client(registry, concurrency=1).repository.delete_tags(source())
    assert of(report.not_attempted) == names(1_000)[1:]


@pytest.mark.parametrize("limit", [None, 6])
@virtual
async def test_after_an_authentication_error_a_walk_as_source_asks_for_no_page(limit):
    registry = Registry(pages=50)
    registry.ends = {"v3": [401]}
    registry.seconds = {"tags": 0.3}
    limiter = None if limit is None else WindowLimiter(RateLimit(windows=((limit, 3600.0),)))
    repository = Client(registry, 4, limiter).repository
    stops = []

    def tell(outcome: Outcome) -> None:
        if outcome.status == "failed":
            stops.append(now())

    source = (tag.tag async for tag in repository.tags())
    report = await repository.delete_tags(source, on_outcome=tell)
    assert of(report.failed) == ["v3"]
    assert max(at for at, _, _ in registry.sent) <= stops[0]
    assert now() < stops[0] + 1.0


# Cancellation, and what goes wrong around.


@virtual
async def test_when_cancelled_all_that_was_begun_was_told_of(registry):
    registry.ends = {name: [HANG] for name in ("v10", "v11", "v12", "v13")}
    told: list[Outcome] = []
    repository = Client(registry, concurrency=4).repository
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(60.0):
            await repository.delete_tags(names(100), on_outcome=told.append)
    assert sorted(outcome.index for outcome in told) == list(range(len(registry.sent)))
    unknown = {outcome.name for outcome in told if outcome.status == "unknown"}
    assert unknown == {"v10", "v11", "v12", "v13"}
    ends = {(str(one.error), one.attempts) for one in told if one.status == "unknown"}
    assert ends == {("cancelled", 1)}


@virtual
@pytest.mark.parametrize("step", [Answer(429, CIMultiDict({"Retry-After": "30"}), b""), REFUSED])
async def test_who_waits_to_be_sent_again_when_cancelled_has_not_failed(registry, step):
    registry.ends = {"v0": [step]}
    told: list[Outcome] = []
    client = Client(registry, retry=RetryPolicy(attempts=50, backoff=30.0))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(10.0):
            await client.repository.delete_tags(["v0"], on_outcome=told.append)
    assert [(one.status, str(one.error)) for one in told] == [("not_attempted", "cancelled")]
    assert told[0].attempts > 0


@virtual
async def test_who_waits_for_quota_when_cancelled_was_not_attempted(registry):
    limiter = WindowLimiter(RateLimit(windows=((2, 3600.0),)))
    told: list[Outcome] = []
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(60.0):
            await Client(registry, 4, limiter).repository.delete_tags(
                names(100), on_outcome=told.append
            )
    assert Counter(outcome.status for outcome in told) == {"deleted": 2, "not_attempted": 4}
    ends = {(str(one.error), one.attempts) for one in told if one.status == "not_attempted"}
    assert ends == {("cancelled", 0)}
    assert limiter.status.waiting == 0


@virtual
async def test_nothing_goes_on_after_a_cancellation(registry):
    repository = Client(registry).repository
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1.0):
            await repository.delete_tags(names(1_000))
    sent = len(registry.sent)
    await asyncio.sleep(60.0)
    assert len(registry.sent) == sent
    assert asyncio.all_tasks() == {asyncio.current_task()}


@virtual
async def test_what_on_outcome_raises_ends_it_all(registry):
    def fail(outcome: Outcome) -> None:
        if outcome.index == 0:
            raise LookupError(outcome.name)

    with pytest.raises(LookupError):
        await Client(registry, concurrency=4).repository.delete_tags(names(100), on_outcome=fail)
    assert len(registry.sent) <= 8
    assert registry.in_flight == 0


@virtual
async def test_what_the_source_raises_is_raised_after_all_that_was_begun(registry):
    registry.seconds = {"v0": 5.0}
    told: list[Outcome] = []

    async def source() -> AsyncIterator[str]:
        yield "v0"
        yield "v1"
        raise LookupError("no more names")

    with pytest.raises(LookupError, match="no more names") as caught:
        await Client(registry).repository.delete_tags(source(), on_outcome=told.append)
    assert [(outcome.name, outcome.status) for outcome in told] == [
        ("v1", "deleted"),
        ("v0", "deleted"),
    ]
    assert caught.value.__notes__ == ["This ended a bulk delete; until then: 2 deleted"]


@virtual
async def test_a_plain_iterable_may_raise_too(registry):
    def source():
        yield "v0"
        yield "none"
        raise LookupError("no more names")

    registry.ends["none"] = [404]
    with pytest.raises(LookupError) as caught:
        await Client(registry).repository.delete_tags(source())
    assert len(registry.sent) == 2
    assert caught.value.__notes__ == ["This ended a bulk delete; until then: 1 deleted, 1 absent"]


@virtual
async def test_a_source_that_raises_at_once_has_ended_nothing(registry):
    def source():
        raise LookupError("no names")
        yield

    with pytest.raises(LookupError) as caught:
        await Client(registry).repository.delete_tags(source())
    assert caught.value.__notes__ == ["This ended a bulk delete; until then: nothing"]


class Counting:
    """An iterator that tells how often it was asked, sync or async."""

    def __init__(self, end: BaseException | None = None) -> None:
        self.asked = 0
        self._end = end

    def __iter__(self):
        return self

    def __next__(self) -> str:
        self.asked += 1
        raise self._end or StopIteration


class AsyncCounting(Counting):
    __iter__ = None

    def __aiter__(self):
        return self

    async def __anext__(self) -> str:
        self.asked += 1
        raise self._end or StopAsyncIteration


@pytest.mark.parametrize("kind", [Counting, AsyncCounting])
@pytest.mark.parametrize("end", [None, LookupError("no more names")])
@virtual
async def test_a_source_that_has_ended_is_not_asked_again(registry, kind, end):
    source = kind(end)
    with pytest.raises(LookupError) if end else nullcontext():
        await Client(registry, concurrency=4).repository.delete_tags(source)
    assert source.asked == 1


@pytest.mark.parametrize("single", ["v1", b"v1"])
@virtual
async def test_a_single_name_is_refused_before_it_is_spelt_out(registry, single):
    repository = Client(registry).repository
    for delete in (repository.delete_tags, repository.delete_manifests):
        with pytest.raises(TypeError, match=r"^a bulk delete takes several: "):
            await delete(single)
    with pytest.raises(TypeError, match="takes several"):
        repository.iter_delete_tags(single)
    assert registry.sent == []


@virtual
async def test_a_coroutine_function_is_no_callback(registry):
    async def tell(_: Outcome) -> None:
        """Would never be awaited."""

    client = Client(registry)
    with pytest.raises(TypeError, match="plain function"):
        await client.repository.delete_tags(names(3), on_outcome=tell)
    with pytest.raises(TypeError, match="on_progress"):
        await client.repository.delete_tags(names(3), on_progress=tell)
    assert registry.sent == []


@virtual
async def test_a_closed_client_deletes_nothing(registry):
    client = Client(registry)
    await client.session.close()
    with pytest.raises(ClientClosedError):
        await client.repository.delete_tags(names(3))
    with pytest.raises(ClientClosedError):
        client.repository.iter_delete_tags(names(3))


@virtual
async def test_a_client_that_is_closed_meanwhile_has_told_all_that_was_begun(registry):
    registry.ends = {"v2": [HANG]}
    told: list[Outcome] = []
    client = Client(registry, concurrency=2)
    running = asyncio.ensure_future(
        client.repository.delete_tags(names(1_000), on_outcome=told.append)
    )
    await asyncio.sleep(5.05)
    await client.session.close()
    with pytest.raises(ClientClosedError, match=r"^the client was closed while deleting$"):
        await running
    assert sorted(outcome.index for outcome in told) == list(range(len(registry.sent)))
    assert "v2" in {outcome.name for outcome in told if outcome.status == "unknown"}


@virtual
async def test_two_bulk_deletes_at_once_do_not_stop_each_other(registry):
    registry.ends = {"w0": [401]}
    repository = Client(registry).repository
    first, second = await asyncio.gather(
        repository.delete_tags(names(20)), repository.delete_tags(["w0", "w1", "w2"])
    )
    assert len(first.deleted) == 20
    assert of(second.failed) == ["w0"]


# Over sockets.


async def test_a_few_thousand_tags_are_deleted_from_a_sandbox(sandbox: Sandbox):
    push_tags(sandbox.state, 2_000)
    async with RegistryClient(sandbox.token, base_url=sandbox.url, rate_limit=None) as client:
        repository = client.registry("example").repository("repo")
        report = await repository.delete_tags(
            ["absent", *(f"v{number}" for number in range(2_000)), "a/b"]
        )
        assert len(report.deleted) == 2_000
        assert (of(report.absent), of(report.failed)) == (["absent"], ["a/b"])
        assert await repository.tags().collect() == []


async def test_a_token_that_is_revoked_meanwhile_stops_the_walk_and_the_deletes(sandbox: Sandbox):
    push_tags(sandbox.state, 500)

    def revoke(outcome: Outcome) -> None:
        if outcome.index == 100:
            sandbox.tokens.clear()

    async with RegistryClient(
        sandbox.token, base_url=sandbox.url, rate_limit=None, per_page=10, concurrency=4
    ) as client:
        repository = client.registry("example").repository("repo")
        tags = (tag.tag async for tag in repository.tags())
        report = await repository.delete_tags(tags, on_outcome=revoke)
    refused = [request for request in sandbox.requests if request.status == 401]
    # No more than were under way when the first refusal came.
    assert 1 <= len(refused) <= 4 + 4
    assert 100 <= len(report.deleted) < 500
    assert {type(outcome.error) for outcome in report.failed} == {AuthenticationError}


async def test_an_absent_repository_makes_every_item_absent(client: RegistryClient):
    report = await client.registry("example").repository("none").delete_tags(names(3))
    assert of(report.absent) == names(3)
    with pytest.raises(NotFoundError):
        await client.registry("example").repository("none").delete_tag("v0")


def test_failures_without_an_error_of_their_own_are_raised_all_the_same():
    report = DeletionReport(failed=(Outcome(0, "v0", "failed"),))
    with pytest.raises(BulkDeleteError, match="1 failed") as caught:
        report.raise_for_failures()
    assert [str(error) for error in caught.value.exceptions] == ["1 failed"]


@virtual
async def test_what_a_callback_starts_is_not_stopped_with_the_rest(registry):
    registry.ends["v0"] = [401]
    client, other = Client(registry), Client(Registry())
    started = []

    def tell(outcome: Outcome) -> None:
        started.append(asyncio.ensure_future(other.repository.delete_tag(f"x{outcome.index}")))
        started.append(asyncio.ensure_future(client.repository.delete_tag(f"y{outcome.index}")))

    await client.repository.delete_tags(names(3), tell)
    await asyncio.gather(*started)
    assert len(started) == 6


@virtual
async def test_progress_tells_how_long_the_rest_takes_at_the_limit():
    """From the windows, and right to within 5% from the first report on."""
    registry = Registry()
    client = Client(registry, limiter=WindowLimiter(), concurrency=32)
    told: list[Progress] = []
    await client.repository.delete_tags(names(6000), on_progress=told.append)
    end = told[-1]
    assert (end.done, end.total, end.seconds_left) == (6000, 6000, 0.0)
    for progress in told:
        left = end.seconds - progress.seconds
        assert progress.seconds_left == pytest.approx(left, rel=0.05, abs=3.0)


@virtual
async def test_progress_off_the_limit_goes_by_the_pace(registry):
    client = Client(registry, concurrency=4)
    told: list[Progress] = []
    await client.repository.delete_tags(names(100), on_progress=told.append)
    half = next(progress for progress in told if progress.done >= 50)
    assert half.seconds_left == pytest.approx(told[-1].seconds - half.seconds, rel=0.2)


@virtual
async def test_progress_without_a_length_knows_no_end(registry):
    client = Client(registry)
    told: list[Progress] = []
    await client.repository.delete_tags(iter(names(10)), on_progress=told.append)
    assert told[0].total is None
    assert told[0].seconds_left is None


@virtual
async def test_a_source_may_hold_a_timeout_open_between_two_names(registry):
    async def source() -> AsyncIterator[str]:
        async with asyncio.timeout(0.25):
            for name in names(100):
                await asyncio.sleep(0.02)
                yield name

    told: list[Outcome] = []
    with pytest.raises(TimeoutError):
        await Client(registry).repository.delete_tags(source(), told.append)
    assert {outcome.status for outcome in told} == {"deleted"}
    assert registry.count("DELETE") == len(told)


@virtual
async def test_a_limiter_that_fails_ends_the_work_and_loses_no_outcome(registry):
    class Failing:
        asked = 0

        async def acquire(self, priority: str = "interactive") -> None:
            self.asked += 1
            if self.asked == 5:
                raise OSError("out of order")

        def release(self, word: object = None, *, sent: bool = True) -> None:
            """Nothing to count."""

    told: list[Outcome] = []
    with pytest.raises(OSError, match="out of order") as caught:
        await Client(registry, limiter=Failing()).repository.delete_tags(names(10), told.append)
    assert sorted(outcome.index for outcome in told) == list(range(10))
    assert caught.value.__notes__ == [
        "This ended a bulk delete; until then: 4 deleted, 6 not_attempted"
    ]
    rest = [one for one in told if one.status == "not_attempted"]
    assert {str(one.error) for one in rest} == {"OSError: out of order"}


@virtual
async def test_two_readers_of_one_iterator_share_its_outcomes_and_both_end(registry):
    outcomes = Client(registry).repository.iter_delete_tags(names(9))

    async def read() -> list[Outcome]:
        return [outcome async for outcome in outcomes]

    first, second = await asyncio.gather(read(), read())
    assert sorted(outcome.index for outcome in (*first, *second)) == list(range(9))


@virtual
async def test_a_source_that_is_cancelled_on_its_own_ends_the_work_with_an_error(registry):
    async def source() -> AsyncIterator[str]:
        yield "v0"
        raise asyncio.CancelledError

    with pytest.raises(RegistryError, match=r"^the source of names was cancelled\n"):
        await Client(registry).repository.delete_tags(source())
    assert registry.count("DELETE") == 1


@virtual
async def test_a_source_that_yields_no_name_at_all_does_not_end_the_work(registry):
    async def source() -> AsyncIterator[str]:
        for name in ("v0", None, "v1"):
            yield name

    report = await Client(registry).repository.delete_tags(source())
    assert of(report.deleted) == ["v0", "v1"]
    assert of(report.failed) == [None]


async def test_a_check_is_awaited_before_each_delete(sandbox, client):
    push_tags(sandbox.state, 2)
    checked = []

    async def check(name):
        checked.append((name, sum(name in request.raw_path for request in sandbox.requests)))

    report = await client.registry("example").repository("repo").delete_tags(names(2), check=check)
    assert len(report.deleted) == 2
    assert sorted(checked) == [("v0", 0), ("v1", 0)]


async def test_an_error_of_a_check_keeps_its_item_alone(sandbox, client):
    push_tags(sandbox.state, 2)

    async def check(name):
        if name == "v1":
            raise RegistryError("it moved")

    report = await client.registry("example").repository("repo").delete_tags(names(2), check=check)
    assert of(report.deleted) == ["v0"]
    assert [str(outcome.error) for outcome in report.not_attempted] == ["it moved"]
    assert sandbox.state.tag_names("example", "repo") == ["v1"]

"""Long jobs: followed while they run, reported when they end."""

import asyncio
import json
import math
import resource
import signal
import threading
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from aioregistry import InvalidTokenError, NotFoundError, RegistryConnectionError
from aioregistry.web import Job, Jobs, JobStore, Problem, ServiceStoppingError, StoredJob
from aioregistry.web.events import last_event_id
from tests.ratelimit.strict_server import virtual


def parsed(event: bytes) -> tuple[str, dict]:
    lines = dict(line.split(": ", 1) for line in event.decode().strip().splitlines())
    return lines["event"], json.loads(lines["data"])


async def follow(job) -> list[tuple[str, dict]]:
    return [parsed(event) async for event in job.events()]


async def test_who_follows_a_job_is_told_each_step_and_the_end():
    step = asyncio.Event()

    async def work(job):
        job.tell(done=1)
        await step.wait()
        job.tell(done=2)

    job = Jobs().start("count", work)
    following = asyncio.create_task(follow(job))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    step.set()
    events = await following
    assert [document["progress"] for _, document in events][-1] == {"done": 2}
    assert [kind for kind, _ in events][-1] == "done"
    assert {"done": 1} in [document["progress"] for _, document in events]


async def test_who_comes_late_is_told_the_newest_at_once():
    async def work(job):
        for number in range(100):
            job.tell(done=number)

    job = Jobs().start("count", work)
    await job.wait()
    ((kind, document),) = await follow(job)
    assert kind == "done"
    assert document["progress"] == {"done": 99}


async def failing(error: BaseException):
    raise error


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        (ValueError("dsn postgres://user:secret@host/db"), "ValueError"),
        (ExceptionGroup("secret", [OSError("secret")]), "ExceptionGroup"),
        (
            NotFoundError("secret", status=404, request_id="r-1", url="http://secret"),
            "NotFoundError: the API knows nothing of this name (status 404, request id r-1)",
        ),
        (InvalidTokenError("secret"), "InvalidTokenError: the service has no valid token"),
        (RegistryConnectionError("secret"), "RegistryConnectionError: the API cannot be reached"),
    ],
)
async def test_outsiders_see_the_kind_of_a_failure_and_the_log_all_of_it(caplog, error, shown):
    job = Jobs().start("plan", lambda _: failing(error))
    events = await follow(job)
    assert job.status == "failed"
    assert events[-1][1]["error"] == shown
    assert "secret" not in json.dumps(events)
    assert "secret" in caplog.text


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (Path("a/b"), "a/b"),
        (datetime(2026, 1, 2, tzinfo=UTC), "2026-01-02T00:00:00Z"),
        (math.nan, None),
        (math.inf, None),
        ({1}, [1]),
        ("a\nb\r\n\ndata: x", "a\nb\r\n\ndata: x"),
        ({("a", 1): 2}, {"('a', 1)": 2}),
    ],
)
async def test_what_is_told_and_noted_is_json(tmp_path, value, shown):
    async def work(job):
        job.tell(value=value)
        job.note(value=value)

    jobs = Jobs(tmp_path)
    job = jobs.start("count", work)
    assert (await follow(job))[-1][1]["progress"] == {"value": shown}
    assert job.noted == [{"value": shown}]
    await jobs.close()
    lines = (tmp_path / f"{job.id}.jsonl").read_text().splitlines()
    assert json.loads(lines[1]) == {"progress": {"value": shown}, "event": 1}
    assert json.loads(lines[2]) == {"note": {"value": shown}}


CYCLE: list = []
CYCLE.append(CYCLE)


@pytest.mark.parametrize("value", ["\ud800", CYCLE])
async def test_what_json_has_no_place_for_is_refused_at_the_call(value):
    seen = []

    async def work(job):
        for say in (job.tell, job.note):
            try:
                say(value=value)
            except (TypeError, ValueError) as error:
                seen.append(error)

    job = Jobs().start("count", work)
    await job.wait()
    assert len(seen) == 2
    assert (job.status, job.progress, job.noted) == ("done", {}, [])


async def test_silence_is_filled_with_comments():
    heard, events = asyncio.Event(), []
    job = Jobs().start("wait", lambda _: heard.wait())
    async for event in job.events(keep_alive=0.05):
        events.append(event)
        if event.startswith(b":"):
            heard.set()
    assert b": still there\n\n" in events
    assert events[-1].startswith(b"id: ")


async def test_jobs_are_cancelled_and_their_reports_written_at_the_end(tmp_path):
    jobs = Jobs(tmp_path)

    async def work(job):
        job.note(tag="a", status="deleted")
        try:
            await asyncio.sleep(60)
        finally:
            job.note(tag="b", status="unknown")

    job = jobs.start("delete", work)
    following = asyncio.create_task(follow(job))
    await asyncio.sleep(0.01)
    await jobs.close()
    assert job.status == "cancelled"
    lines = [json.loads(line) for line in (tmp_path / f"{job.id}.jsonl").read_text().splitlines()]
    assert lines[0]["job"]["status"] == "running"
    assert [line["note"]["tag"] for line in lines[1:-1]] == ["a", "b"]
    assert lines[-1]["job"]["status"] == "cancelled"
    assert (await following)[-1][0] == "cancelled"
    with pytest.raises(ServiceStoppingError, match="about to stop") as caught:
        jobs.start("late", work)
    problem = Problem.of(caught.value)
    assert (problem.status, problem.headers["Retry-After"]) == (503, "1")
    assert list(jobs) == [job]


async def test_a_note_is_on_the_disk_while_the_job_runs(tmp_path):
    jobs = Jobs(tmp_path)
    job = jobs.start("delete", lambda job: asyncio.sleep(60, job.note(tag="a")))
    path = tmp_path / f"{job.id}.jsonl"
    async with asyncio.timeout(60):
        while not path.exists() or b"note" not in path.read_bytes():
            await asyncio.sleep(0.01)
    await jobs.close()


async def test_a_job_that_ignores_its_cancellation_does_not_stop_the_close(caplog):
    jobs = Jobs(grace=0.05)
    end = asyncio.Event()

    async def work(_):
        while not end.is_set():
            with suppress(asyncio.CancelledError):
                await end.wait()

    job = jobs.start("stubborn", work)
    await asyncio.sleep(0)
    await jobs.close()
    assert (job.status, job.error) == ("failed", "the job did not end when it was cancelled")
    assert "ignores its cancellation" in caplog.text
    end.set()
    await asyncio.sleep(0.01)
    assert job.status == "failed"


async def test_closing_twice_at_once_interrupts_no_job_at_its_end():
    jobs, ended = Jobs(), []

    async def work(_):
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.05)
            ended.append(True)

    job = jobs.start("careful", work)
    await asyncio.sleep(0)
    closing = asyncio.create_task(jobs.close())
    await asyncio.sleep(0.001)
    await jobs.close()
    await closing
    assert (job.status, ended) == ("cancelled", [True])


async def test_a_job_is_started_from_a_thread():
    jobs = Jobs()
    job = await asyncio.to_thread(jobs.start, "wait", lambda _: asyncio.sleep(0))
    await job.wait()
    assert job.status == "done"


async def test_a_job_that_is_cancelled_twice_comes_to_its_end_all_the_same():
    jobs, ended = Jobs(), []

    async def work(job: Job) -> None:
        try:
            job.tell(begun=True)
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.05)
            ended.append(job)

    job = jobs.start("apply 1", work)
    while not job.progress:
        await asyncio.sleep(0)
    for _ in range(3):
        job.cancel()
        await asyncio.sleep(0.01)
    await jobs.cancel(job)
    await job.wait()
    assert (job.status, ended) == ("cancelled", [job])


async def test_a_job_that_is_cancelled_before_it_has_begun_does_nothing():
    jobs, worked = Jobs(), []

    async def work(job: Job) -> None:
        worked.append(job)

    thread = threading.Thread(target=jobs.start, args=("apply 1", work))
    thread.start()
    # Meanwhile the event loop begins nothing.
    thread.join()
    (job,) = jobs
    job.cancel()
    await job.wait()
    assert (job.status, worked) == ("cancelled", [])


async def test_a_job_that_a_thread_starts_while_the_service_stops_is_no_ghost():
    jobs = Jobs()
    started = asyncio.to_thread(jobs.start, "wait", lambda _: asyncio.sleep(60))
    task = asyncio.create_task(started)
    await asyncio.sleep(0)
    await jobs.close()
    with suppress(ServiceStoppingError):
        job = await task
        await job.wait()
        assert job.status == "cancelled"


def test_without_an_event_loop_a_start_is_refused_without_a_ghost():
    jobs = Jobs()
    with pytest.raises(RuntimeError, match="event loop"):
        jobs.start("wait", lambda _: asyncio.sleep(0))
    assert list(jobs) == []


async def test_what_a_thread_tells_wakes_followers():
    told = threading.Event()

    def blocking(job):
        job.tell(step=1)
        assert told.wait(60)

    job = Jobs().start("block", lambda job: asyncio.to_thread(blocking, job))
    async for event in job.events():
        if parsed(event)[1]["progress"] == {"step": 1}:
            told.set()
    assert job.status == "done"


async def test_a_thread_cancels_a_job():
    job = Jobs().start("wait", lambda _: asyncio.sleep(60))
    await asyncio.to_thread(job.cancel)
    await job.wait()
    assert job.status == "cancelled"


async def test_a_foreign_cancellation_within_a_job_is_its_failure():
    async def work(_):
        inner = asyncio.create_task(asyncio.sleep(60))
        asyncio.get_running_loop().call_soon(inner.cancel)
        await inner

    job = Jobs().start("wait", work)
    await job.wait()
    assert (job.status, job.error) == ("failed", "CancelledError")


async def test_a_reader_that_comes_back_gets_what_it_has_not_seen():
    job = Jobs().start("count", lambda job: asyncio.sleep(0, job.tell(done=1)))
    await job.wait()
    (last,) = [event async for event in job.events()]
    number = int(last.partition(b"id: ")[2].partition(b"\n")[0])
    assert job.has_ended_for(number)
    assert not job.has_ended_for(None)
    assert [event async for event in job.events(after=number)] == []
    assert [event async for event in job.events(after=number - 1)] == [last]
    assert [event async for event in job.events(after=number + 1)] == [last]


async def test_a_state_is_encoded_once_for_all_followers(monkeypatch):
    encoded = []
    document = Job.document
    monkeypatch.setattr(Job, "document", lambda job: encoded.append(1) or document(job))
    job = Jobs().start("wait", lambda _: asyncio.sleep(0.01))
    await asyncio.gather(*(follow(job) for _ in range(50)))
    assert len(encoded) == 2


async def test_one_job_can_be_cancelled():
    jobs = Jobs()
    job = jobs.start("wait", lambda _: asyncio.sleep(60))
    await asyncio.sleep(0)
    job.cancel()
    await job.wait()
    assert job.status == "cancelled"
    await jobs.close()


async def ended(jobs) -> Job:
    job = jobs.start("wait", lambda _: asyncio.sleep(0))
    await job.wait()
    return job


async def test_jobs_that_have_ended_are_dropped_by_number():
    jobs = Jobs(max_ended=3)
    running = jobs.start("wait", lambda _: asyncio.sleep(60))
    known = [await ended(jobs) for _ in range(5)]
    assert list(jobs) == [running, *known[2:]]
    assert jobs.get(known[0].id) is None
    await jobs.close()


@virtual
async def test_jobs_that_have_ended_are_dropped_by_age():
    jobs = Jobs(max_age=60)
    job = await ended(jobs)
    await asyncio.sleep(59)
    assert jobs.get(job.id) is job
    await asyncio.sleep(2)
    assert jobs.get(job.id) is None


async def test_a_report_that_cannot_be_written_is_logged_and_harms_nobody(tmp_path, caplog):
    (tmp_path / "file").touch()
    jobs = Jobs(tmp_path / "file")
    job = await ended(jobs)
    await jobs.close()
    assert caplog.text.count("cannot be written") == 1
    assert job.status == "done"


async def test_a_job_that_runs_is_not_started_a_second_time():
    jobs = Jobs()
    first = jobs.start("apply 1", lambda _: asyncio.sleep(60), once=True)
    assert jobs.start("apply 1", lambda _: asyncio.sleep(60), once=True) is first
    assert jobs.start("apply 2", lambda _: asyncio.sleep(60), once=True) is not first
    assert jobs.start("apply 1", lambda _: asyncio.sleep(60)) is not first
    await jobs.close()
    jobs = Jobs()
    first = await ended(jobs)
    assert jobs.start(first.name, lambda _: asyncio.sleep(0), once=True) is not first


async def test_two_threads_start_one_job():
    jobs = Jobs()

    def start():
        return jobs.start("apply", lambda _: asyncio.sleep(60), once=True)

    assert len(set(await asyncio.gather(*(asyncio.to_thread(start) for _ in range(8))))) == 1
    await jobs.close()


async def worked(job):
    job.tell(done=1)
    job.note(tag="a", status="deleted")
    job.tell(done=2)


async def test_a_job_of_an_earlier_process_is_recalled_with_its_end(tmp_path):
    jobs = Jobs(tmp_path)
    job = jobs.start("delete", worked)
    last = [event async for event in job.events()][-1]
    await jobs.close()
    later = Jobs(tmp_path)
    assert later.get(job.id) is None
    recalled = await later.recall(job.id)
    assert recalled.document() == job.document()
    assert recalled.noted == [{"tag": "a", "status": "deleted"}]
    assert [event async for event in recalled.events()] == [last]
    assert recalled.has_ended_for(job.event_number)
    await later.close()


async def test_a_job_that_was_killed_is_recalled_as_failed_with_what_it_noted(tmp_path):
    lines = [
        {"job": {"id": "a-1", "name": "delete", "begun_at": "2026-01-02T00:00:00+00:00"}},
        {"note": {"tag": "a"}},
        {"progress": {"done": 1}, "event": 1},
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines) + '{"note": {"ta'
    (tmp_path / "a-1.jsonl").write_text(text)
    jobs = Jobs(tmp_path)
    job = await jobs.recall("a-1")
    assert (job.status, job.progress, job.noted) == ("failed", {"done": 1}, [{"tag": "a"}])
    assert job.error == "the service ended before the job did"
    (event,) = [event async for event in job.events(after=7)]
    seen = last_event_id({"Last-Event-ID": event.decode().splitlines()[0].removeprefix("id: ")})
    assert job.has_ended_for(seen)
    await jobs.close()


@pytest.mark.parametrize("name", ["", "none", "../a", "a/b", "a\0b", "x" * 5000, ".."])
async def test_what_names_no_job_recalls_none(tmp_path, name):
    (tmp_path / "a.jsonl").write_text("[]\nnull\n{}\n")
    jobs = Jobs(tmp_path / "reports")
    assert await jobs.recall(name) is None
    assert await Jobs().recall(name) is None
    await jobs.close()


async def test_with_a_report_only_the_newest_notes_are_in_memory(tmp_path):
    async def work(job):
        for number in range(3000):
            job.note(number=number)

    jobs = Jobs(tmp_path)
    job = jobs.start("note", work)
    await job.wait()
    assert [note["number"] for note in job.noted] == [*range(2000, 3000)]
    await jobs.close()
    assert (tmp_path / f"{job.id}.jsonl").read_bytes().count(b"note") == 3000 + 2


async def test_progress_is_written_once_a_second_at_most(tmp_path):
    async def work(job):
        for number in range(100):
            job.tell(done=number)

    jobs = Jobs(tmp_path)
    job = jobs.start("tell", work)
    await job.wait()
    await jobs.close()
    lines = (tmp_path / f"{job.id}.jsonl").read_bytes().splitlines()
    assert sum(line.startswith(b'{"progress"') for line in lines) < 10


class Memory:
    """A store of one's own."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []

    def write(self, job: str, line: bytes, *, last: bool = False) -> None:
        self.lines.append(line)

    def read(self, job: str) -> StoredJob | None:
        return None

    def close(self) -> None:
        self.lines.append(b"closed")


async def test_jobs_are_kept_in_a_store_of_ones_own():
    store: JobStore = Memory()
    jobs = Jobs(store=store)
    await ended(jobs)
    await jobs.close()
    assert [line[:6] for line in store.lines] == [b'{"job"', b'{"job"', b"closed"]
    with pytest.raises(ValueError, match="not both"):
        Jobs(Path("reports"), store=store)


async def test_a_disk_that_was_full_for_a_while_costs_no_later_line(tmp_path):
    jobs, (soft, hard) = Jobs(tmp_path), resource.getrlimit(resource.RLIMIT_FSIZE)
    usual = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    async def work(job: Job) -> None:
        report = tmp_path / f"{job.id}.jsonl"
        while not report.exists():
            await asyncio.sleep(0.01)
        written = report.stat().st_size
        resource.setrlimit(resource.RLIMIT_FSIZE, (written + 20, hard))
        job.note(lost="x" * 100)
        while report.stat().st_size < written + 20:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        job.note(kept=True)

    try:
        job = jobs.start("apply 1", work)
        async with asyncio.timeout(30):
            await job.wait()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, usual)
    await jobs.close()
    again = await Jobs(tmp_path).recall(job.id)
    assert (job.status, again.status, again.noted) == ("done", "done", [{"kept": True}])

"""Long jobs: followed while they run, reported when they end."""

import asyncio
import json

import pytest

from aioregistry.web import Jobs


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


async def test_a_failure_is_told_in_words(caplog):
    async def work(_):
        raise ValueError("no such policy")

    job = Jobs().start("plan", work)
    await job.wait()
    assert job.status == "failed"
    assert job.document()["error"] == "ValueError: no such policy"
    assert "plan" in caplog.text


async def test_silence_is_filled_with_comments():
    job = Jobs().start("wait", lambda _: asyncio.sleep(0.2))
    events = [event async for event in job.events(keep_alive=0.05)]
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
    report = json.loads((tmp_path / f"{job.id}.json").read_text())
    assert report["status"] == "cancelled"
    assert [each["tag"] for each in report["noted"]] == ["a", "b"]
    assert (await following)[-1][0] == "cancelled"
    with pytest.raises(RuntimeError, match="about to stop"):
        jobs.start("late", work)


async def test_one_job_can_be_cancelled():
    jobs = Jobs()
    job = jobs.start("wait", lambda _: asyncio.sleep(60))
    await asyncio.sleep(0)
    job.cancel()
    await job.wait()
    assert job.status == "cancelled"
    await jobs.close()


async def test_jobs_that_ended_long_ago_are_forgotten():
    jobs = Jobs()
    first = jobs.start("wait", lambda _: asyncio.sleep(0))
    await first.wait()
    for _ in range(150):
        await jobs.start("wait", lambda _: asyncio.sleep(0)).wait()
    await asyncio.sleep(0)
    assert jobs.get(first.id) is None
    assert len(list(jobs)) == 100


async def test_a_report_that_cannot_be_written_is_told_and_harms_nobody(tmp_path, caplog):
    (tmp_path / "file").touch()
    jobs = Jobs(tmp_path / "file")
    job = jobs.start("wait", lambda _: asyncio.sleep(0))
    await job.wait()
    await asyncio.sleep(0)
    assert "cannot be written" in caplog.text
    assert job.status == "done"

"""The event loop whose clock jumps to the next timer."""

import asyncio
import selectors
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import aiohttp
import pytest

from aioregistry.sandbox import Sandbox
from aioregistry.testing.virtual_time import VirtualTimeLoop, run_virtual

HOUR = 3600.0
# The turns of the loop take a little time, as they do on every loop.
A_MOMENT = 0.001


def now() -> float:
    return asyncio.get_running_loop().time()


def test_an_hour_of_sleep_takes_an_hour_of_the_loops_time():
    async def main():
        await asyncio.sleep(HOUR)
        return now()

    assert run_virtual(main()) == pytest.approx(HOUR, abs=A_MOMENT)


def test_an_hour_of_sleep_takes_no_real_time(monkeypatch):
    waited = []
    select = selectors.DefaultSelector.select

    def spy(self, timeout=None):
        waited.append(timeout)
        return select(self, timeout)

    monkeypatch.setattr("selectors.DefaultSelector.select", spy)
    run_virtual(asyncio.sleep(HOUR))
    assert set(waited) == {0.0}


def test_timers_fire_in_the_order_of_their_times():
    async def main():
        fired = []

        async def fire_after(seconds):
            await asyncio.sleep(seconds)
            fired.append((seconds, round(now(), 3)))

        await asyncio.gather(*map(fire_after, (30, 10, 20, 10)))
        return fired

    assert run_virtual(main()) == [(10, 10), (10, 10), (20, 20), (30, 30)]


def test_time_stands_still_while_there_is_something_to_do():
    async def main():
        asyncio.get_running_loop().call_later(1, pytest.fail, "time has jumped")
        for _ in range(1000):
            await asyncio.sleep(0)
        return now()

    assert run_virtual(main()) < A_MOMENT


def test_a_timeout_of_a_wait_for_ever_comes_at_its_time():
    async def main():
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(HOUR):
                await asyncio.Event().wait()
        return now()

    assert run_virtual(main()) == pytest.approx(HOUR, abs=A_MOMENT)


def test_what_a_socket_brings_comes_before_a_timer():
    async def main():
        async def echo(reader, writer):
            writer.write(await reader.readline())
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(b"hello\n")
        answer = await asyncio.wait_for(reader.readline(), HOUR)
        writer.close()
        await writer.wait_closed()
        server.close()
        return answer, now()

    answer, took = run_virtual(main())
    assert answer == b"hello\n"
    assert took < HOUR / 2


def test_http_over_sockets_takes_the_latency_that_the_server_sleeps():
    async def main():
        async with Sandbox(latency=HOUR) as sandbox, aiohttp.ClientSession() as session:
            timeout = aiohttp.ClientTimeout(total=2 * HOUR)
            async with session.get(f"{sandbox.url}/v2/registry", timeout=timeout) as response:
                return response.status, now()

    status, took = run_virtual(main())
    assert status == 401
    assert HOUR <= took < 1.5 * HOUR


def test_a_thread_of_the_executor_is_waited_for():
    async def main():
        return await asyncio.wait_for(asyncio.to_thread(time.sleep, 0.02), HOUR), now()

    assert run_virtual(main())[1] < HOUR / 2


def test_timers_go_on_while_a_thread_works():
    async def main():
        event = threading.Event()
        asyncio.get_running_loop().call_later(0.01, event.set)
        return await asyncio.to_thread(event.wait, 60)

    assert run_virtual(main()) is True


def test_time_jumps_again_after_a_thread_has_ended():
    async def main():
        await asyncio.to_thread(int)
        await asyncio.sleep(HOUR)
        return now()

    assert run_virtual(main()) == pytest.approx(HOUR, abs=60)


def test_the_end_has_real_time_to_wait_for_threads():
    class SlowToEnd(ThreadPoolExecutor):
        def shutdown(self, *args, **kwargs):
            time.sleep(0.05)
            super().shutdown(*args, **kwargs)

    async def main():
        asyncio.get_running_loop().set_default_executor(SlowToEnd())
        await asyncio.to_thread(int)

    # Python 3.13 warns, which is an error here, when the 300 seconds for that have passed.
    run_virtual(main())


def test_without_timers_the_loop_waits_for_the_world_outside():
    async def main():
        loop = asyncio.get_running_loop()
        called = loop.create_future()
        thread = threading.Thread(
            target=loop.call_soon_threadsafe, args=(called.set_result, "called")
        )
        thread.start()
        result = await called
        thread.join()
        return result

    assert run_virtual(main()) == "called"


@pytest.mark.parametrize("seconds", [1e-12, 1e9])
def test_waits_that_the_clock_can_hardly_show_end(seconds):
    async def main():
        await asyncio.sleep(1e8)
        begun = now()
        await asyncio.sleep(seconds)
        return now() - begun

    assert run_virtual(main()) >= seconds


def test_time_passes_for_those_who_look_at_it_again_and_again():
    async def main():
        while now() < 1e-8:
            await asyncio.sleep(0)
        return True

    assert run_virtual(main())


def test_what_main_returns_is_returned():
    async def main():
        return "result"

    assert run_virtual(main()) == "result"


def test_what_main_raises_is_raised():
    async def main():
        raise LookupError("raised")

    with pytest.raises(LookupError, match="raised"):
        run_virtual(main())


def test_each_run_begins_at_zero():
    run_virtual(asyncio.sleep(HOUR))
    loop = VirtualTimeLoop()
    assert loop.time() == 0
    loop.close()

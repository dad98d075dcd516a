"""Chromium without a window, driven by its DevTools protocol.

Start with `chromium`; a test that needs it is skipped where it is not installed.
"""

import asyncio
import base64
import itertools
import json
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import aiohttp
import pytest

__all__ = ["HAS_CHROMIUM", "Browser", "Page", "chromium", "needs_axe", "needs_chromium"]

_PROGRAM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
HAS_CHROMIUM = _PROGRAM is not None
needs_chromium = pytest.mark.skipif(not HAS_CHROMIUM, reason="chromium is not installed")
_AXE = Path(sys.prefix) / "axe/node_modules/axe-core/axe.min.js"
needs_axe = pytest.mark.skipif(not _AXE.is_file(), reason="axe-core is not installed")
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-extensions",
    "--hide-scrollbars",
    "--no-first-run",
    "--remote-debugging-port=0",
)
_SECONDS = 120


class Browser:
    """A running Chromium: commands go by number, events to the page that they are of."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self.pages: dict[str, Page] = {}

    async def read(self) -> None:
        async for message in self._socket:
            found = json.loads(message.data)
            if "id" in found:
                waiting = self._waiting.pop(found["id"])
                if not waiting.done():
                    waiting.set_result(found)
            elif page := self.pages.get(found.get("sessionId", "")):
                page.take_in(found["method"], found["params"])

    async def send(self, method: str, session: str | None = None, **params: Any) -> dict[str, Any]:
        number = next(self._numbers)
        command = {"id": number, "method": method, "params": params}
        if session is not None:
            command["sessionId"] = session
        self._waiting[number] = asyncio.get_running_loop().create_future()
        await self._socket.send_json(command)
        async with asyncio.timeout(_SECONDS):
            answer = await self._waiting[number]
        assert "error" not in answer, (method, answer)
        return answer["result"]

    @asynccontextmanager
    async def page(
        self, url: str, *, width: int = 1200, height: int = 900, dark: bool = False
    ) -> "AsyncIterator[Page]":
        """Open a page of its own, as wide and as high as is said, in CSS pixels."""
        context = (await self.send("Target.createBrowserContext"))["browserContextId"]
        target = (
            await self.send("Target.createTarget", url="about:blank", browserContextId=context)
        )["targetId"]
        session = (await self.send("Target.attachToTarget", targetId=target, flatten=True))[
            "sessionId"
        ]
        page = self.pages[session] = Page(self, session)
        try:
            for domain in ("Page", "Runtime", "Log", "Network"):
                await page.send(f"{domain}.enable")
            await page.resize(width, height)
            scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
            await page.send("Emulation.setEmulatedMedia", features=[scheme])
            await page.open(url)
            yield page
        finally:
            del self.pages[session]
            await self.send("Target.disposeBrowserContext", browserContextId=context)


class Page:
    """A page, and what went wrong in it: errors of scripts, and of the console."""

    def __init__(self, browser: Browser, session: str) -> None:
        self._browser = browser
        self._session = session
        self._loaded = asyncio.Event()
        self.errors: list[str] = []
        self.requests: list[str] = []

    def take_in(self, event: str, params: dict[str, Any]) -> None:
        if event == "Page.loadEventFired":
            self._loaded.set()
        elif event == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        elif event == "Runtime.exceptionThrown":
            details = params["exceptionDetails"]
            thrown = details.get("exception", {})
            self.errors.append(thrown.get("description") or details["text"])
        elif event == "Log.entryAdded" and params["entry"]["level"] == "error":
            self.errors.append(params["entry"]["text"])

    async def send(self, method: str, **params: Any) -> dict[str, Any]:
        return await self._browser.send(method, self._session, **params)

    async def open(self, url: str) -> None:
        """Go to an address, and return when it is loaded."""
        self._loaded.clear()
        await self.send("Page.navigate", url=url)
        async with asyncio.timeout(_SECONDS):
            await self._loaded.wait()

    async def reload(self) -> None:
        """Load it again."""
        self._loaded.clear()
        await self.send("Page.reload")
        async with asyncio.timeout(_SECONDS):
            await self._loaded.wait()

    async def run(self, script: str) -> Any:
        """Return what an expression of JavaScript is, when it is awaited."""
        found = await self.send(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    async def until(self, condition: str) -> Any:
        """Return what an expression is as soon as that is true."""
        script = f"""new Promise((done) => {{
            const look = () => {{
                const found = {condition};
                found ? done(found) : setTimeout(look, 20);
            }};
            look();
        }})"""
        try:
            return await self.run(script)
        except TimeoutError:
            raise AssertionError(f"not true in {_SECONDS} s: {condition}; {self.errors}") from None

    async def click(self, selector: str) -> None:
        """Click on the first element that a selector finds, once it can be clicked."""
        found = f"document.querySelector({json.dumps(selector)})"
        await self.until(f"{found} && !{found}.disabled && !{found}.closest('[hidden]')")
        await self.run(f"{found}.click()")

    async def text(self, selector: str = "body") -> str:
        """Return the text that is seen of an element."""
        found = await self.run(f"document.querySelector({json.dumps(selector)}).innerText")
        return str(found)

    async def resize(self, width: int, height: int = 900) -> None:
        """Give it another size, in CSS pixels."""
        await self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )

    async def screenshot(self, path: Path) -> None:
        """Save what is seen, all of the page's length, as PNG."""
        found = await self.send("Page.captureScreenshot", captureBeyondViewport=True)
        await asyncio.to_thread(path.write_bytes, base64.b64decode(found["data"]))

    async def violations(self) -> list[str]:
        """Return what axe-core finds to be hard to use for some people."""
        if not await self.run("'axe' in window"):
            await self.run(f"{_AXE.read_text('utf-8')}; null")
        found = await self.run(
            "axe.run({resultTypes: ['violations']}).then(({violations}) => violations.map("
            "({id, nodes}) => `${id}: ${nodes.slice(0, 3).map((node) => node.html).join(' | ')}`))"
        )
        return list(found)

    async def overflows(self) -> bool:
        """Whether the page is wider than its window."""
        return bool(await self.run("document.documentElement.scrollWidth > window.innerWidth"))


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """Run Chromium, which takes a second of processor time."""
    if _PROGRAM is None:
        pytest.skip("chromium is not installed")
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        process = await asyncio.create_subprocess_exec(
            *(_PROGRAM, *_FLAGS, f"--user-data-dir={folder}", "about:blank"),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            port, path = await _address(Path(folder) / "DevToolsActivePort", process)
            async with (
                aiohttp.ClientSession() as session,
                session.ws_connect(
                    f"ws://127.0.0.1:{port}{path}", max_msg_size=0, compress=0
                ) as socket,
            ):
                browser = Browser(socket)
                reading = asyncio.create_task(browser.read())
                try:
                    yield browser
                finally:
                    reading.cancel()
        finally:
            with suppress(ProcessLookupError):
                process.terminate()
            await process.wait()


async def _address(file: Path, process: asyncio.subprocess.Process) -> tuple[str, str]:
    async with asyncio.timeout(_SECONDS):
        while True:
            assert process.returncode is None, "chromium has ended"
            if len(lines := _words_of(file)) == 2:
                return lines[0], lines[1]
            await asyncio.sleep(0.02)


def _words_of(file: Path) -> list[str]:
    return file.read_text().split() if file.is_file() else []

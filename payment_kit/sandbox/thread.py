"""A sandbox served from a thread of its own, for tests that are not asynchronous."""

import asyncio
import threading
from pathlib import Path
from types import TracebackType

from payment_kit.sandbox.handle import StripeSandbox
from payment_kit.sandbox.server import START, Sandbox, serve_until

START_SECONDS = 30.0


class SandboxThread:
    """``with SandboxThread() as stripe:`` serves a sandbox on a free port of this machine; `stripe` is its
    default world.

    Takes what `Sandbox` takes. For unittest: ``cls.stripe = cls.enterClassContext(SandboxThread())``.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        seed: int = 1,
        now: int = START,
        state_dir: Path | None = None,
        isolated: bool = False,
    ) -> None:
        self.sandbox = Sandbox(seed=seed, now=now, state_dir=state_dir, isolated=isolated)
        self._port = port
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="stripe-sandbox", daemon=True)

    def __enter__(self) -> StripeSandbox:
        """Start; raises OSError when the port is taken."""
        self._thread.start()
        self._ready.wait(START_SECONDS)
        if self._failure is not None or not self.sandbox.url:
            raise OSError("the sandbox did not start") from self._failure
        return StripeSandbox(self.sandbox.url, self.sandbox.api_key)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(START_SECONDS)
        self.sandbox.close()

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:  # noqa: BLE001  # told by the thread that waits for it
            self._failure = error
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        await serve_until(self.sandbox, "127.0.0.1", self._port, self._stop, lambda _url: self._ready.set())

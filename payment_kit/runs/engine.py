"""Executes a notebook with papermill: our interpreter, private sockets, bounded time, redaction before every save."""

import asyncio
import contextlib
import signal
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from payment_kit.errors import UsageProblem
from payment_kit.runs.redact import redact_notebook, redact_text

START_SECONDS = 60
NAME = "payment_kit"


@dataclass(frozen=True, slots=True)
class Execution:
    """What one execution is told. `secrets` are texts never to be written; `on_cell` gets (done, total, name)."""

    source: Path
    target: Path
    parameters: Mapping[str, object]
    environment: Mapping[str, str]
    secrets: tuple[str, ...]
    seconds_max: float
    on_cell: Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True)
class Failure:
    """The cell that stopped the notebook, and its error."""

    cell: int
    error: str
    message: str


def execute(execution: Execution) -> Failure | None:
    """Runs the notebook and writes it, redacted, to `target`; returns what stopped it, if anything did.

    Leaves no kernel behind, whether it ends, fails, is interrupted or runs out of time. Raises EXTRA_MISSING.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Jupyter's packages, which users of this command can do nothing about
        papermill = _papermill()
        path = str(execution.target).replace("{", "{{").replace("}", "}}")  # papermill fills parameters into paths
        try:
            papermill.execute_notebook(
                str(execution.source).replace("{", "{{").replace("}", "}}"),
                path,
                parameters=dict(execution.parameters),
                engine_name=NAME,
                kernel_name="python3",
                progress_bar=False,
                request_save_on_cell_execute=True,
                start_timeout=START_SECONDS,
                execution=execution,
            )
        except papermill.PapermillExecutionError as error:
            return Failure(error.cell_index + 1, error.ename, redact_text(error.evalue, execution.secrets))
        except TimeoutError:
            return Failure(0, "TimeoutError", f"It took longer than {execution.seconds_max:g} seconds.")
        except RuntimeError as error:  # the kernel died or never answered
            return Failure(0, type(error).__name__, redact_text(str(error).partition("\n")[0], execution.secrets))
    return None


def _papermill() -> Any:
    try:
        import ipykernel  # noqa: F401 — the kernel itself
        import papermill
        from jupyter_client.manager import AsyncKernelManager
        from papermill.clientwrap import PapermillNotebookClient
        from papermill.engines import Engine, papermill_engines
        from papermill.log import logger
    except ImportError as error:
        raise UsageProblem("EXTRA_MISSING", f"The package {error.name} is not installed.") from None
    if NAME not in papermill_engines._engines:  # noqa: SLF001 — papermill offers no way to ask
        logger.propagate = False
        papermill_engines.register(NAME, _engine(Engine, PapermillNotebookClient, AsyncKernelManager))
    return papermill


def _engine(engine: Any, notebook_client: Any, kernel_manager: Any) -> Any:
    """The engine class; made here because its bases come with an extra."""

    class Kernel(kernel_manager):  # type: ignore[misc]
        """This interpreter, whatever kernel is installed under the name python3."""

        def format_kernel_cmd(self, extra_arguments: list[str] | None = None) -> list[str]:
            command = [sys.executable, "-m", "ipykernel_launcher", "-f", self.connection_file]
            return command + list(extra_arguments or ())

    class Client(notebook_client):  # type: ignore[misc]
        """Lets Ctrl-C reach us as KeyboardInterrupt: nbclient would only stop its kernel and carry on."""

        def papermill_execute_cells(self) -> None:
            with contextlib.suppress(RuntimeError, NotImplementedError):
                loop = asyncio.get_event_loop()
                for number in (signal.SIGINT, signal.SIGTERM):
                    loop.remove_signal_handler(number)
            super().papermill_execute_cells()

    class PaymentKitEngine(engine):  # type: ignore[misc]
        @classmethod
        def execute_managed_notebook(cls, managed: Any, kernel_name: str, **given: Any) -> None:
            execution: Execution = given["execution"]
            _watch(managed, execution)
            deadline = time.monotonic() + execution.seconds_max
            with _private_folder() as folder, _signals_restored(), (folder / "kernel.log").open("wb") as log:
                kernel = Kernel(kernel_name=kernel_name, transport="ipc", ip=str(folder / "k"))
                kernel.connection_file = str(folder / "kernel.json")
                client = Client(
                    managed,
                    km=kernel,
                    startup_timeout=START_SECONDS,
                    timeout_func=lambda _cell: max(1, int(deadline - time.monotonic())),
                )
                try:
                    client.execute(
                        env={**execution.environment, "IPYTHONDIR": str(folder)},
                        stdout=log,
                        stderr=log,
                        cleanup_kc=True,
                    )
                finally:
                    if client.km is not None:  # it never came as far as cleaning up itself
                        client._cleanup_kernel()  # noqa: SLF001

    return PaymentKitEngine


def _watch(managed: Any, execution: Execution) -> None:
    """Redacts before every save and tells about every finished cell."""
    save, complete = managed.save, managed.cell_complete
    total = sum(1 for cell in managed.nb.cells if cell.cell_type == "code")
    done = 0

    def redacted_save(**given: Any) -> None:
        redact_notebook(managed.nb, execution.secrets)
        save(**given)

    def told_complete(cell: Any, **given: Any) -> None:
        nonlocal done
        complete(cell, **given)
        if cell.cell_type == "code":
            done += 1
            execution.on_cell(done, total, str(cell.metadata.get("name", "")))

    managed.save, managed.cell_complete = redacted_save, told_complete


@contextlib.contextmanager
def _private_folder() -> Iterator[Path]:
    """For sockets and the connection file: short (a socket's path has 107 bytes) and only ours."""
    with tempfile.TemporaryDirectory(prefix="pk-", ignore_cleanup_errors=True) as name:
        yield Path(name)


@contextlib.contextmanager
def _signals_restored() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):  # not the main thread: nothing was changed
            for number, handler in before.items():
                signal.signal(number, handler)

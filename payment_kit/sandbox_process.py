"""The sandbox as a process of its own, shared by every command of an installation.

Whoever needs it first starts it and it leaves with its last user: each user holds a kernel lock (`lease`), so a SIGKILL
leaves nothing behind and nothing stale. One that was killed is started again where it was.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import orjson
from pydantic import SecretStr

from payment_kit import lease
from payment_kit.config import require_writable
from payment_kit.errors import Broken, Conflict
from payment_kit.stripe_gateway.gateway import StripeGateway

READY_SECONDS = 30.0
ENDPOINT_EVENTS = "*"


class Address(NamedTuple):
    """Where the sandbox is and the key that opens it."""

    url: str
    api_key: SecretStr


@dataclass(frozen=True, slots=True)
class SandboxFiles:
    """How the processes of one installation find and share its sandbox."""

    home: Path

    @property
    def state(self) -> Path:
        """What it remembers from one start to the next."""
        return self.home / "sandbox"

    @property
    def address(self) -> Path:
        """Its URL and key, written when it is ready, readable by the owner only."""
        return self.home / "sandbox.json"

    @property
    def users(self) -> Path:
        """The lease of everyone who uses it."""
        return self.home / "sandbox.users"

    @property
    def start(self) -> Path:
        """One process at a time looks and starts, or decides to stop."""
        return self.home / "sandbox.start"

    @property
    def log(self) -> Path:
        """What it says, for whoever has to look."""
        return self.home / "sandbox.log"

    @property
    def alive(self) -> Path:
        """The lease the sandbox itself holds while it can be reached."""
        return self.home / "sandbox.alive"


@contextmanager
def sandbox(home: Path) -> Iterator[Address]:
    """The running sandbox of the installation in `home`, started when nobody uses it yet, for the length of the block.

    Raises `Broken` SANDBOX_FAILED when it does not start, and `UsageProblem` when `home` cannot be written.
    """
    require_writable(home)
    files = SandboxFiles(home.resolve())
    with lease.use(files.users):
        with lease.exclusive(files.start):
            found = reachable(files) or _start(files, _last_port(files)) or _start(files, 0)
            if found is None:
                raise Broken("SANDBOX_FAILED", f"The sandbox did not start; its log is {files.log}.")
        yield found


def reachable(files: SandboxFiles) -> Address | None:
    """What the address file says, if the process that wrote it still lives."""
    written = _written(files)
    return None if written is None or lease.unused(files.alive) else written


def in_use(files: SandboxFiles) -> Conflict:
    """The refusal of whoever wants the sandbox's state for itself: which process serves it, where, and for whom."""
    served = reachable(files)
    if served is None:
        return Conflict("STATE_LOCKED", f"Another sandbox is just starting or ending on {files.state}.")
    servers = lease.holders(files.alive)
    users = [process for process in lease.holders(files.users) if process not in {*servers, os.getpid()}]
    by = ", ".join(map(_called, servers)) or "another process"
    used = f", for {', '.join(map(_called, users))}" if users else ""
    return Conflict(
        "STATE_LOCKED",
        f"The sandbox on {files.state} runs already: {by} serves it at {served.url}{used}.",
        next_step=f"Use that address with the key in {files.address}, stop that process, or set PAYMENT_KIT_HOME.",
    )


def _called(process: int) -> str:
    """The process as a person knows it, e.g. ``process 4711 (payment-kit serve)``."""
    try:
        words = Path(f"/proc/{process}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        words = []
    names = [Path(word).name.partition(".")[0] for word in words]
    ours = next((at for at, name in enumerate(names) if name in {"payment-kit", "payment_kit"}), len(words))
    command = next((word for word in words[ours + 1 :] if word and not word.startswith("-")), "")
    return f"process {process}" + (f" (payment-kit {command})" if command else "")


def _written(files: SandboxFiles) -> Address | None:
    if not files.address.exists():
        return None
    found: dict[str, str] = orjson.loads(files.address.read_bytes())
    return Address(found["url"], SecretStr(found["api_key"]))


def _last_port(files: SandboxFiles) -> int:
    """The port the last sandbox had, 0 when there was none."""
    last = _written(files)
    return (urlsplit(last.url).port or 0) if last else 0


def _start(files: SandboxFiles, port: int) -> Address | None:
    """Its address when it is up; None when it ended before, e.g. because somebody else has the port by now."""
    files.home.mkdir(parents=True, exist_ok=True)
    process = _detached(
        [sys.executable, "-m", "payment_kit", "sandbox", "--port", str(port), "--until-unused"],
        os.environ | {"PAYMENT_KIT_HOME": str(files.home)},
        files.log,
    )
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and _alive(process):
        found = reachable(files)
        if found is not None:
            return found
        time.sleep(0.05)
    return None


def _detached(command: Sequence[str], environment: Mapping[str, str], log: Path) -> int:
    """Starts a process that is nobody's child and hears no Ctrl-C of ours; returns its id."""
    script = 'umask 077; log=$1; shift; "$@" </dev/null >>"$log" 2>&1 & echo $!'
    started = subprocess.run(
        ["/bin/sh", "-c", script, "sh", str(log), *command],
        env=environment,
        start_new_session=True,
        capture_output=True,
        check=True,
    )
    return int(started.stdout)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


async def endpoint_secret(gateway: StripeGateway, home: Path, url: str) -> SecretStr:
    """Registers `url` as the sandbox's webhook endpoint, once, and keeps the signing secret it answers only then."""
    saved = home / "sandbox.endpoint.json"
    if saved.exists():
        known: dict[str, str] = orjson.loads(saved.read_bytes())
        listed = (await gateway.request("get", "/v1/webhook_endpoints", {"limit": 100})).body["data"]
        for endpoint in listed:
            if endpoint["id"] == known["id"]:
                if endpoint["url"] != url:
                    await gateway.request("post", f"/v1/webhook_endpoints/{known['id']}", {"url": url})
                return SecretStr(known["secret"])
    created = (
        await gateway.request("post", "/v1/webhook_endpoints", {"url": url, "enabled_events": [ENDPOINT_EVENTS]})
    ).body
    write_private(saved, orjson.dumps({"id": created["id"], "secret": created["secret"]}))
    return SecretStr(created["secret"])


def write_private(path: Path, content: bytes) -> None:
    """Writes a file only its owner can read, whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    temporary.replace(path)

"""The container without an engine: the Dockerfile's own install and start steps, and what its files promise."""

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import yaml

from payment_kit import lease
from payment_kit.database.embedded import wait_until_gone
from payment_kit.sandbox_process import SandboxFiles
from tests.waiting import eventually

REPOSITORY = Path(__file__).resolve().parents[1]
NOBODY = 65534
INSTALL_SECONDS = 200
STOP_SECONDS = 30
TOOLS = {"pip", "setuptools", "wheel", "hatchling", "grpcio-tools", "pytest"}


def _stages() -> list[list[tuple[str, str]]]:
    """The instructions of each stage of the Dockerfile, in order: name and the rest of the line."""
    text = "\n".join(line for line in (REPOSITORY / "Dockerfile").read_text().splitlines() if line[:1] != "#")
    stages: list[list[tuple[str, str]]] = []
    for line in filter(None, (line.strip() for line in text.replace("\\\n", " ").splitlines())):
        name, _, rest = line.partition(" ")
        if name == "FROM":
            stages.append([])
        stages[-1].append((name, rest.strip()))
    return stages


def _only(stage: list[tuple[str, str]], name: str) -> str:
    (found,) = (rest for one, rest in stage if one == name)
    return found


BUILD, FINAL = _stages()


def _copied() -> list[str]:
    """What the build stage takes from the checkout."""
    return [source for name, rest in BUILD if name == "COPY" for source in shlex.split(rest)[:-1]]


@pytest.fixture(scope="module")
def image() -> Iterator[Path]:
    """A folder that stands for the root of the image: the build stage carried out, then nothing may be written."""
    # Not pytest's own folder: that one is root's alone, and the program runs as somebody else.
    root = Path(tempfile.mkdtemp(prefix="payment-kit-image-"))
    root.chmod(0o755)
    (root / "src").mkdir()
    skipped = shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints")
    for name in _copied():
        source, target = REPOSITORY / name, root / "src" / name
        shutil.copytree(source, target, ignore=skipped) if source.is_dir() else shutil.copy(source, target)
    for command in (rest for name, rest in BUILD if name == "RUN"):
        here = command.replace("/opt/payment-kit", f"{root}/opt").replace("python -m", f"{sys.executable} -m")
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        subprocess.run(
            ["/bin/sh", "-euc", here], cwd=root / "src", env=environment, check=True, timeout=INSTALL_SECONDS
        )
    for path in (root / "opt").rglob("*"):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode & ~0o222)
    yield root
    for folder in (root, *(path for path in (root / "opt").rglob("*") if path.is_dir() and not path.is_symlink())):
        folder.chmod(0o755)
    shutil.rmtree(root)


def _environment(root: Path, home: Path, ports: tuple[int, int]) -> dict[str, str]:
    """What ENV says, for this folder, and ports that are free."""
    given = dict(word.split("=", 1) for word in shlex.split(_only(FINAL, "ENV")))
    places = {"/opt/payment-kit": f"{root}/opt", "/var/lib/payment-kit": str(home), "$PATH": "/usr/bin:/bin"}
    for place, here in places.items():
        given = {name: value.replace(place, here) for name, value in given.items()}
    return given | {"PORT": f"{ports[0]}", "PAYMENT_KIT_WEBHOOK_PORT": f"{ports[1]}", "HOME": str(home)}


def _as_nobody() -> list[str]:
    """As root the program is started as an account without rights, which may still read where Python itself lies."""
    if os.geteuid() != 0:
        return []
    may_read = ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
    private = any(not folder.stat().st_mode & 0o001 for folder in Path(sys.base_prefix).parents)
    return ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", *(may_read if private else [])]


@pytest.fixture
def home() -> Iterator[Path]:
    """The state volume, of the account the program runs as."""
    folder = Path(tempfile.mkdtemp(prefix="payment-kit-home-"))
    if os.geteuid() == 0:
        os.chown(folder, NOBODY, NOBODY)
    yield folder
    # PostgreSQL and the sandbox leave when they see that nobody uses them any more.
    wait_until_gone(folder)
    eventually(lambda: lease.unused(SandboxFiles(folder).alive))
    shutil.rmtree(folder)


def test_what_the_dockerfile_installs_starts_is_healthy_and_stops_when_told(
    image: Path, home: Path, unused_tcp_port_factory: Any
) -> None:
    environment = _environment(image, home, (unused_tcp_port_factory(), unused_tcp_port_factory()))
    start = json.loads(_only(FINAL, "ENTRYPOINT")) + json.loads(_only(FINAL, "CMD"))
    health = json.loads(_only(FINAL, "HEALTHCHECK").partition("CMD ")[2])
    assert not (image / "opt" / "bin" / "pip").exists()

    with subprocess.Popen(
        [*_as_nobody(), *start], cwd=home, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        try:
            eventually(lambda: process.poll() is not None or _run(health, home, environment) == 0)
            assert process.poll() is None, process.stdout and process.stdout.read().decode()
            _can_write_nothing(image)
            process.send_signal(getattr(signal, _only(FINAL, "STOPSIGNAL")))
            assert process.wait(STOP_SECONDS) == 0
            assert _run(health, home, environment) == 1
        finally:
            process.kill()


def _run(command: list[str], home: Path, environment: Mapping[str, str]) -> int:
    return subprocess.run([*_as_nobody(), *command], cwd=home, env=environment, capture_output=True).returncode


def _can_write_nothing(image: Path) -> None:
    """Neither rights nor a cache written in passing changed the tree."""
    assert not [path for path in (image / "opt").rglob("*") if not path.is_symlink() and path.stat().st_mode & 0o222]


def test_the_image_holds_the_program_and_no_tool(image: Path) -> None:
    (packages,) = (image / "opt").glob("lib/python3*/site-packages")
    installed = {path.name.split("-")[0].replace("_", "-").lower() for path in packages.glob("*.dist-info")}

    assert "payment-kit" in installed
    assert not installed & TOOLS
    for part in ("sql/migrations", "notebooks", "v1/payment_kit.binpb"):
        assert (packages / "payment_kit" / part).exists(), part


def test_it_runs_as_a_number_and_keeps_state_in_one_place_only() -> None:
    user = _only(FINAL, "USER")
    volume = _only(FINAL, "VOLUME")

    assert all(part.isdigit() and int(part) >= 10000 for part in user.split(":"))
    assert f"PAYMENT_KIT_HOME={volume}" in _only(FINAL, "ENV")
    assert _only(FINAL, "EXPOSE").split() == ["8080", "8081"]
    assert all(":" in rest.split()[0] for stage in (BUILD, FINAL) for name, rest in stage if name == "FROM")


def test_only_what_the_dockerfile_names_is_sent_to_the_engine() -> None:
    lines = [line for line in (REPOSITORY / ".dockerignore").read_text().splitlines() if line[:1] not in ("#", "")]

    assert lines[0] == "*"
    assert {line[1:] for line in lines if line[0] == "!"} == set(_copied())
    assert not any(fnmatch(".env", line[1:]) for line in lines if line[0] == "!")


def test_compose_keeps_every_process_in_its_bounds() -> None:
    services: dict[str, dict[str, Any]] = yaml.safe_load((REPOSITORY / "compose.yaml").read_text())["services"]

    assert {"service", "worker", "postgres"} <= services.keys()
    for name, service in services.items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["init"] is True, name
        assert service["tmpfs"], name
        assert "cap_add" not in service, name
        assert "privileged" not in service, name
        assert service["healthcheck"].get("test") or service["healthcheck"] == {"disable": True}, name


def test_compose_holds_no_secret_and_passes_on_only_what_is_set() -> None:
    service = yaml.safe_load((REPOSITORY / "compose.yaml").read_text())["services"]["service"]

    assert service["environment"]["STRIPE_API_KEY"] is None
    assert service["environment"]["STRIPE_WEBHOOK_SECRET"] is None
    assert "${POSTGRES_PASSWORD:?" in service["environment"]["DATABASE_URL"]

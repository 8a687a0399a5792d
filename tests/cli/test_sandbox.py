"""`payment-kit sandbox` as a process of its own: what it prints works, and what its options say comes true."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest

from payment_kit.cli import group, main
from payment_kit.sandbox import StripeSandbox


@contextmanager
def sandbox(folder: Path, *options: str) -> Iterator[tuple[StripeSandbox, dict[str, Any]]]:
    """The sandbox of a folder, ready, and what it printed; stopped with Ctrl-C at the end."""
    words = ("sandbox", "--port", "0", "--ready-json", *options)
    process = subprocess.Popen(
        [sys.executable, "-m", "payment_kit", *words], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, process.communicate()[1].decode()
        printed = orjson.loads(line)
        yield StripeSandbox(printed["url"], printed["api_key"]), printed
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert process.returncode == 0


def test_a_new_sandbox_has_the_start_the_scenario_and_the_page_that_were_asked_for(tmp_path: Path) -> None:
    with sandbox(tmp_path, "--state", "here", "--scenario", "smoke", "--collect", "--isolated") as (stripe, printed):
        assert printed["page"] == f"{stripe.url}/_sandbox/#key={stripe.api_key}"
        objects = stripe.read("stats")["objects"]
        assert objects["subscription"] > 0
        assert stripe.read("delivery")["collect"] is True
        other = StripeSandbox(stripe.url, "sk_test_anything")
        assert other.client.v1.customers.list().data == []
    with sandbox(tmp_path, "--state", "here", "--scenario", "smoke") as (stripe, _):
        assert stripe.read("stats")["objects"] == objects, "a state that is there is kept, not played into again"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["here"]


def test_the_clock_starts_where_it_is_told(tmp_path: Path) -> None:
    with sandbox(tmp_path, "--memory", "--start", "2030-01-01", "--seed", "5") as (stripe, _):
        assert stripe.clock.now == 1_893_456_000
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--memory", "--scenario", "atlantis"), "There is no business atlantis"),
        (("--memory", "--scenario", "smoke", "--start", "2031-01-01"), "Leave --start out"),
        (("--memory", "--host", "192.0.2.1"), "192.0.2.1"),
    ],
)
def test_what_cannot_be_is_refused_with_the_next_step(
    clean_settings: Path, capsys: pytest.CaptureFixture[str], options: tuple[str, ...], said: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["sandbox", "--port", "0", *options])
    assert (ended.value.code, said in capsys.readouterr().err) == (2, True)


def test_the_help_teaches_with_lines_that_can_be_pasted() -> None:
    command = group.get_command(None, "sandbox")  # type: ignore[arg-type]  # the context is not looked at
    assert command is not None
    assert "curl localhost:12111/v1/customers" in (command.help or "")

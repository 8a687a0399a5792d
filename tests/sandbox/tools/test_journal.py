"""State on disk survives a SIGKILL of a real process, and belongs to one process at a time."""

import asyncio
import errno
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from payment_kit.sandbox import Sandbox, SandboxServer, StateInUse
from payment_kit.sandbox.journal import Journal
from tests.sandbox.receiver import Receiver, flush, register
from tests.sandbox.wire import ask, control, pay, rows

DAY = 86_400
SERVE = """
import asyncio, sys
from pathlib import Path
from payment_kit.sandbox import Sandbox, serve_until
sandbox = Sandbox(state_dir=Path(sys.argv[1]))
asyncio.run(serve_until(sandbox, "127.0.0.1", 0, asyncio.Event(), lambda url: print(url, flush=True)))
"""


@asynccontextmanager
async def killed(folder: Path) -> AsyncIterator[Sandbox]:
    """A sandbox in a process of its own, killed with SIGKILL at the end. What is yielded has its url and key."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SERVE, str(folder), stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[3]
    )
    try:
        assert process.stdout is not None
        there = Sandbox()
        there.url = (await process.stdout.readline()).decode().strip()
        assert there.url
        yield there
    finally:
        os.kill(process.pid, signal.SIGKILL)
        await process.wait()


async def test_everything_answered_before_a_sigkill_is_there_afterwards(tmp_path: Path) -> None:
    async with killed(tmp_path) as first:
        intent = await pay(first, 10_000, card="bypassPending")
        await pay(first, card="createDispute")
        answer = await ask(first, "POST", "/v1/customers", {"name": "Ada"}, key="k")
        await control(first, "clock", advance_seconds=DAY)
        before = {
            kind: await rows(first, kind) for kind in ("charge", "dispute", "balance_transaction", "payout", "event")
        }
        balance = (await ask(first, "GET", "/v1/balance")).body
    second = Sandbox(state_dir=tmp_path)
    async with SandboxServer(second):
        assert {kind: await rows(second, kind) for kind in before} == before
        assert (await ask(second, "GET", "/v1/balance")).body == balance
        again = await ask(second, "POST", "/v1/customers", {"name": "Ada"}, key="k")
        assert (again.raw, again.headers["idempotent-replayed"]) == (answer.raw, "true")
        await control(second, "clock", advance_seconds=3 * DAY)
        assert (await rows(second, "payout"))[0]["status"] == "paid"
        assert (await ask(second, "GET", f"/v1/payment_intents/{intent['id']}")).status == 200
    second.close()


async def test_deliveries_owed_at_a_sigkill_are_made_after_the_restart(tmp_path: Path) -> None:
    receiver = Receiver()
    async with receiver.listening() as port:
        pass
    async with killed(tmp_path) as first:
        endpoint = await register(first, receiver.url)
        for number in range(10):
            await ask(first, "POST", "/v1/customers", {"name": str(number)})
        made = [event["id"] for event in await rows(first, "event")]
    async with receiver.listening(port):
        second = Sandbox(state_dir=tmp_path)
        async with SandboxServer(second):
            await flush(second)
    second.close()
    assert sorted(receiver.ids(endpoint["secret"])) == sorted(made)


async def test_settled_deliveries_are_not_repeated_after_a_restart_and_stay_counted(tmp_path: Path) -> None:
    receiver = Receiver()
    async with receiver.listening():
        for counted in (3, 3):
            sandbox = Sandbox(state_dir=tmp_path)
            async with SandboxServer(sandbox):
                if not receiver.got:
                    await register(sandbox, receiver.url)
                    for _ in range(3):
                        await ask(sandbox, "POST", "/v1/customers", {})
                assert (await flush(sandbox))["acknowledged"] == counted
            sandbox.close()
    assert len(receiver.got) == 3


def test_a_second_process_on_the_same_folder_is_refused(tmp_path: Path) -> None:
    first = Sandbox(state_dir=tmp_path)
    code = "import sys, pathlib; from payment_kit.sandbox import Sandbox; Sandbox(state_dir=pathlib.Path(sys.argv[1]))"
    second = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, timeout=60)
    assert "StateInUse" in second.stderr
    first.close()
    Sandbox(state_dir=tmp_path).close()


def test_two_sandboxes_in_one_process_do_not_share_a_folder_either(tmp_path: Path) -> None:
    first = Sandbox(state_dir=tmp_path)
    with pytest.raises(StateInUse):
        Sandbox(state_dir=tmp_path)
    first.close()


def test_a_line_cut_short_by_a_crash_is_dropped(tmp_path: Path) -> None:
    from tests.sandbox import memory

    first = Sandbox(state_dir=tmp_path)
    _, customer = memory.ask(first, "POST", "/v1/customers", {"name": "Ada"})
    first.close()
    with (tmp_path / "journal.jsonl").open("ab") as journal:
        journal.write(b'{"rows":[{"id":"cus_half","object":"cust')
    second = Sandbox(state_dir=tmp_path)
    assert [row["id"] for row in second.store.rows("customer")] == [customer["id"]]
    second.close()


def test_the_stored_state_wins_over_the_arguments(tmp_path: Path) -> None:
    first = Sandbox(seed=4, state_dir=tmp_path)
    first.advance_to(first.now + DAY)
    key, now = first.api_key, first.now
    first.close()
    second = Sandbox(seed=5, now=1, state_dir=tmp_path)
    assert (second.api_key, second.now) == (key, now)
    second.close()


def test_events_that_were_forgotten_do_not_come_back_with_a_restart(tmp_path: Path) -> None:
    from tests.sandbox import memory

    first = Sandbox(state_dir=tmp_path)
    first.store.set_meta(forgets_events=True)
    memory.ask(first, "POST", "/v1/products", {"name": "Tea"})
    first.advance_to(first.now + 40 * DAY)
    assert list(first.store.rows("event")) == []
    first.close()
    second = Sandbox(state_dir=tmp_path)
    assert list(second.store.rows("event")) == []
    second.close()


def test_a_record_a_full_disk_cut_short_is_taken_out_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal(tmp_path)
    journal.write({"meta": {"now": 1}})
    write, left = os.write, [10]

    def full(descriptor: int, data: bytes) -> int:
        if not left:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(descriptor, data[: left.pop()])

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(OSError, match="No space"):
            journal.write({"meta": {"now": 23}})
    journal.write({"meta": {"now": 3}})
    journal.close()
    again = Journal(tmp_path)
    assert [record["meta"]["now"] for record in again.replay()] == [1, 3]
    again.close()


def test_what_is_on_disk_is_for_its_owner_alone(tmp_path: Path) -> None:
    for _ in range(2):
        Sandbox(state_dir=tmp_path).close()
        assert (tmp_path / "journal.jsonl").stat().st_mode & 0o077 == 0

"""Snapshots: everything comes back to the byte, from memory and from file, for the same account only."""

import re
from pathlib import Path

import orjson
import pytest

from payment_kit.sandbox import Sandbox
from payment_kit.sandbox.snapshots import SNAPSHOTS_MAX
from tests.sandbox.tools.desk import Desk, pay

DAY = 86_400
# requests are numbered by the process, not by what it holds
_REQUEST = re.compile(rb"req_\w+")


def state(sandbox: Sandbox) -> bytes:
    """Everything a snapshot holds."""
    return b"\n".join(orjson.dumps(record) for record in sandbox.store.snapshot())


async def live(desk: Desk) -> None:
    """A little of everything: payments, money in transit, an endpoint, a deleted customer, an idempotency key."""
    await desk.post("webhook_endpoints", **{"url": "https://example.com/hook", "enabled_events[]": "*"})
    await desk.order("delivery", collect=True)
    await pay(desk, "bypassPending")
    await pay(desk, "createDispute")
    gone = await desk.post("products", name="Tea")
    await desk.client.delete(f"/v1/products/{gone['id']}")
    await desk.client.post("/v1/customers", data={"name": "Ada"}, headers={"Idempotency-Key": "k"})
    await desk.order("clock", advance_seconds=2 * DAY)


async def test_a_restored_world_is_the_same_to_the_byte_and_goes_on_the_same_way() -> None:
    desk = Desk()
    await live(desk)
    before = state(desk.sandbox)
    await desk.order("snapshots", name="base")
    await live(desk)
    after = state(desk.sandbox)
    assert after != before
    told = await desk.order("snapshots/base/restore")
    assert (state(desk.sandbox), told["now"]) == (before, desk.sandbox.now)
    await live(desk)
    assert _REQUEST.sub(b"", state(desk.sandbox)) == _REQUEST.sub(b"", after)


async def test_an_idempotency_key_used_after_the_snapshot_is_free_again() -> None:
    desk = Desk()
    await desk.order("snapshots")
    for _ in range(2):
        answer = await desk.client.post("/v1/customers", data={"name": "Ada"}, headers={"Idempotency-Key": "k"})
        assert "idempotent-replayed" not in answer.headers
        await desk.order("snapshots/default/restore")


async def test_a_file_outlives_the_process_and_is_private(tmp_path: Path) -> None:
    desk = Desk(Sandbox(state_dir=tmp_path))
    await live(desk)
    before = state(desk.sandbox)
    assert (await desk.order("snapshots", name="base", file=True))["file"] is True
    await desk.order("reset")
    desk.sandbox.close()
    assert (tmp_path / "snapshots" / "base.jsonl").stat().st_mode & 0o077 == 0
    again = Desk(Sandbox(state_dir=tmp_path))
    assert [one["name"] for one in await again.read("snapshots")] == ["base"]
    await again.order("snapshots/base/restore")
    assert state(again.sandbox) == before
    assert await again.order("snapshots/base/delete") == {"name": "base", "deleted": True}
    again.sandbox.close()
    assert list((tmp_path / "snapshots").iterdir()) == []


async def test_a_snapshot_of_another_account_is_refused(tmp_path: Path) -> None:
    one, two = Desk(Sandbox(seed=1, state_dir=tmp_path / "1")), Desk(Sandbox(seed=2, state_dir=tmp_path / "2"))
    await one.order("snapshots", name="base", file=True)
    await two.order("snapshots", name="other", file=True)
    (tmp_path / "2" / "snapshots" / "base.jsonl").write_bytes(
        (tmp_path / "1" / "snapshots" / "base.jsonl").read_bytes()
    )
    assert "another account" in await two.refused("snapshots/base/restore")
    one.sandbox.close()
    two.sandbox.close()


@pytest.mark.parametrize("name", ["../evil", "", "a/b", ".hidden", "x" * 65])
async def test_a_name_that_could_leave_the_folder_is_refused(name: str, tmp_path: Path) -> None:
    desk = Desk(Sandbox(state_dir=tmp_path))
    assert "name" in await desk.refused("snapshots", name=name, file=True)
    desk.sandbox.close()


async def test_unknown_names_files_without_a_folder_and_too_many_are_refused() -> None:
    desk = Desk()
    assert "there are: none" in await desk.refused("snapshots/base/restore", 404)
    assert "state folder" in await desk.refused("snapshots", file=True)
    for number in range(SNAPSHOTS_MAX):
        await desk.order("snapshots", name=f"s{number}")
    assert str(SNAPSHOTS_MAX) in await desk.refused("snapshots", name="one-more")
    await desk.order("snapshots", name="s0")


async def test_a_deleted_object_keeps_its_place_among_the_others() -> None:
    desk = Desk()
    gone = await desk.post("products", name="Tea")
    await desk.client.delete(f"/v1/products/{gone['id']}")
    for _ in range(2):
        await desk.order("clock", advance_seconds=DAY)
        await desk.post("products", name="Air")
    order = list(desk.sandbox.store.tables["product"].order)
    await desk.order("snapshots")
    await desk.order("snapshots/default/restore")
    assert desk.sandbox.store.tables["product"].order == order

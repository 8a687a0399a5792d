"""The control API: clock, reset, truth, stats; and the server around it."""

import asyncio
import socket
from typing import Any

import orjson
import pytest

from payment_kit.sandbox import Sandbox, SandboxServer, serve_until
from payment_kit.sandbox.pace import TICK_SECONDS
from tests.sandbox.wire import ask, control, pay, rows
from tests.waiting import until

DAY = 86_400


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("clock", {}),
        ("clock", {"advance_seconds": -1}),
        ("clock", {"advance_seconds": 32 * DAY}),
        ("clock", {"advance_to": "soon"}),
        ("delivery", {"drop": 2}),
        ("payouts/fail_next", {"currency": "usd", "code": "bad_luck"}),
        ("payouts/fail_next", {"currency": 7}),
        ("reset", {"now": -1}),
        ("dunning", {"outcome": "forgive"}),
        ("delivery/flush", {"timeout_seconds": 1000}),
    ],
)
async def test_impossible_orders_are_refused_with_a_sentence(sandbox: Sandbox, path: str, body: dict[str, Any]) -> None:
    answer = await ask(sandbox, "POST", f"/_sandbox/{path}", orjson.dumps(body))
    assert answer.status == 400
    assert answer.body["error"]["message"]


async def test_the_clock_stands_still_until_told(sandbox: Sandbox) -> None:
    start = sandbox.now
    await pay(sandbox)
    assert sandbox.now == start
    assert await control(sandbox, "clock", advance_seconds=90) == {"now": start + 90, "speed": 0}
    assert await control(sandbox, "clock", advance_to=start + 90) == {"now": start + 90, "speed": 0}


async def test_the_outcome_of_dunning_is_set_until_a_reset(sandbox: Sandbox) -> None:
    assert await control(sandbox, "dunning", outcome="unpaid") == {"outcome": "unpaid"}
    assert sandbox.store.meta["dunning_outcome"] == "unpaid"
    await control(sandbox, "reset")
    assert "dunning_outcome" not in sandbox.store.meta


async def test_reset_empties_everything_and_keeps_account_and_key(sandbox: Sandbox) -> None:
    account, key = sandbox.account_id, sandbox.api_key
    await pay(sandbox)
    await control(sandbox, "clock", advance_seconds=DAY)
    assert await control(sandbox, "reset", seed=9, now=1_800_000_000) == {"now": 1_800_000_000, "seed": 9}
    stats = (await ask(sandbox, "GET", "/_sandbox/stats")).body
    assert set(stats["objects"].values()) == {0}
    assert (stats["account"], sandbox.api_key, stats["now"]) == (account, key, 1_800_000_000)


async def test_stats_count_the_objects(sandbox: Sandbox) -> None:
    await pay(sandbox)
    await pay(sandbox, card="chargeDeclined")
    objects = (await ask(sandbox, "GET", "/_sandbox/stats")).body["objects"]
    assert (objects["payment_intent"], objects["charge"], objects["balance_transaction"]) == (2, 2, 1)


async def test_the_truth_pages_oldest_first_and_shows_nothing_private(sandbox: Sandbox) -> None:
    for _ in range(5):
        await pay(sandbox)
    first = (await ask(sandbox, "GET", "/_sandbox/objects/charge?limit=3")).raw.splitlines()
    last = orjson.loads(first[-1])["id"]
    second = (await ask(sandbox, "GET", f"/_sandbox/objects/charges?limit=3&starting_after={last}")).raw.splitlines()
    found = [orjson.loads(line) for line in [*first, *second]]
    assert [row["id"] for row in found] == [row["id"] for row in await rows(sandbox, "charge")]
    assert not [name for row in found for name in row if name.startswith("_")]


async def test_the_truth_of_payout_items_names_both_sides(sandbox: Sandbox) -> None:
    await pay(sandbox, card="bypassPending")
    await control(sandbox, "clock", advance_seconds=DAY)
    (payout,) = await rows(sandbox, "payout")
    items = [
        orjson.loads(line) for line in (await ask(sandbox, "GET", "/_sandbox/objects/payout_items")).raw.splitlines()
    ]
    assert {item["payout"] for item in items} == {payout["id"]}
    assert len(items) == 2


async def test_a_taken_port_is_an_os_error() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(OSError, match="in use"):
            async with SandboxServer(Sandbox(), port=taken.getsockname()[1]):
                pass


async def test_serve_until_serves_until_it_is_told_to_stop() -> None:
    urls: list[str] = []
    sandbox = Sandbox()

    async def stop() -> None:
        assert (await ask(sandbox, "GET", "/v1/balance")).status == 200

    await serve_until(sandbox, "127.0.0.1", 0, stop, urls.append)
    assert urls == [sandbox.url]


async def test_the_clock_runs_at_a_speed_until_it_is_told_to_stand_still(sandbox: Sandbox) -> None:
    start = sandbox.now
    assert (await control(sandbox, "clock", speed=86_400))["speed"] == 86_400
    await until(lambda: sandbox.now > start)
    stopped = await control(sandbox, "clock", speed=0)
    await asyncio.sleep(2 * TICK_SECONDS)
    assert sandbox.now == stopped["now"] > start
    assert (await ask(sandbox, "POST", "/_sandbox/clock", orjson.dumps({"speed": 1e9}))).status == 400


async def test_a_running_clock_goes_on_from_where_it_was_moved_to(sandbox: Sandbox) -> None:
    await control(sandbox, "clock", speed=100)
    moved = (await control(sandbox, "clock", advance_seconds=31 * DAY))["now"]
    await until(lambda: sandbox.now > moved)
    await control(sandbox, "clock", speed=0)


async def test_every_operation_is_in_the_help_and_an_unknown_one_points_there(sandbox: Sandbox) -> None:
    told = orjson.loads((await ask(sandbox, "GET", "/_sandbox/help")).raw)
    assert {"method", "path", "takes", "gives"} == set(told[0])
    assert "/_sandbox/snapshots/{id}/restore" in {one["path"] for one in told}
    answer = await ask(sandbox, "POST", "/_sandbox/nonsense")
    assert (answer.status, "/_sandbox/help" in answer.body["error"]["message"]) == (404, True)


async def test_fields_an_operation_does_not_have_are_refused_by_name(sandbox: Sandbox) -> None:
    for path in ("clock", "reset", "snapshots", "trigger", "payments/fail_next", "payouts/fail_next", "delivery"):
        answer = await ask(sandbox, "POST", f"/_sandbox/{path}", orjson.dumps({"nonsense": 1}))
        assert (answer.status, "nonsense" in answer.body["error"]["message"]) == (400, True), path

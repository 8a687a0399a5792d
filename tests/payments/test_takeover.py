"""Two processes at one write: whoever dies, sleeps or comes late, it happens once and all are told the same."""

import asyncio
import time
from typing import Any

import pytest

from payment_kit.database.connection import Pool
from payment_kit.errors import Conflict, Refused, Unavailable
from payment_kit.payments import idempotency
from payment_kit.payments.desk import Desk
from payment_kit.payments.idempotency import Request, _Lease, idempotency_key
from payment_kit.sandbox import Sandbox

from ..fix_service import new_id
from ..waiting import SECONDS_MAX, until_found
from .acts import create, save_card, update
from .faulty import Faulty, execute, made, request


async def test_a_write_that_died_after_stripe_answered_is_taken_over_when_its_lease_is_over(
    faulty: Faulty, faulty_desk: Desk, desk: Desk, sandbox: Sandbox, pool: Pool
) -> None:
    asked, faulty.hang = request(new_id()), True
    dead = asyncio.create_task(create(faulty_desk, asked))
    await faulty.answered.wait()
    with pytest.raises(Conflict):
        await create(desk, asked)

    await execute(pool, "update payment_kit.requests set locked_until = now()")
    answer = await create(desk, asked)

    assert answer["id"] == next(iter(sandbox.store.rows("customer")))["id"]
    assert made(sandbox) == 1
    assert await create(desk, asked) == answer
    dead.cancel()


async def test_a_try_that_lasts_longer_than_its_lease_keeps_it_while_its_process_lives(
    faulty: Faulty, faulty_desk: Desk, desk: Desk, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, faulty.hang = request(new_id()), True
    monkeypatch.setattr(faulty_desk.writes, "_lease_seconds", SECONDS_MAX)
    monkeypatch.setattr(idempotency, "RENEWALS_PER_LEASE", 600)
    slow = asyncio.create_task(create(faulty_desk, asked))
    await faulty.answered.wait()

    await execute(pool, "update payment_kit.requests set locked_until = now()")
    await until_found(lambda: execute(pool, "select 1 from payment_kit.requests where locked_until > now()"))

    with pytest.raises(Conflict):
        await create(desk, asked)
    slow.cancel()


async def test_a_renewal_that_comes_after_the_release_holds_nothing(
    faulty: Faulty, faulty_desk: Desk, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, faulty.lose = request(new_id()), True
    with pytest.raises(Unavailable):
        await create(faulty_desk, asked)

    monkeypatch.setattr(faulty_desk.writes, "_lease_seconds", 0.03)
    await asyncio.wait_for(faulty_desk.writes._renew(asked, _Lease(1, 0.0)), SECONDS_MAX)

    assert (await create(desk, asked))["name"] == "Jo"


async def test_replacing_metadata_sends_the_same_again_whatever_changed_meanwhile(
    faulty: Faulty, faulty_desk: Desk, desk: Desk, sandbox: Sandbox
) -> None:
    created = await create(desk, request(new_id()), metadata={"old": "1", "both": "1"})
    asked, faulty.lose = Request(new_id(), "UpdateCustomer", b"body"), True
    changes = {"metadata": {"both": "2", "new": "2"}}
    with pytest.raises(Unavailable):
        await update(faulty_desk, asked, created["id"], changes)

    answer = await update(desk, asked, created["id"], changes)

    assert answer["metadata"] == {"both": "2", "new": "2"}
    assert next(iter(sandbox.store.rows("customer")))["metadata"] == {"both": "2", "new": "2"}


async def test_a_caller_who_leaves_between_two_steps_does_not_stop_the_second(
    faulty: Faulty, faulty_desk: Desk, desk: Desk, pool: Pool
) -> None:
    customer = await create(desk, request(new_id()))
    let_go = asyncio.Event()
    faulty.then = let_go.wait
    asked = Request(new_id(), "CreatePaymentMethod", b"body")
    call = asyncio.create_task(save_card(faulty_desk, asked, customer["id"]))
    await faulty.answered.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    let_go.set()

    assert await faulty_desk.writes.settle(SECONDS_MAX)

    states = await execute(pool, "select state from payment_kit.requests where method = 'CreatePaymentMethod'")
    assert states == [("done",)]


async def test_who_was_overtaken_before_it_asked_stripe_answers_what_the_other_did(
    faulty: Faulty, faulty_desk: Desk, desk: Desk, pool: Pool, sandbox: Sandbox
) -> None:
    created = await create(desk, request(new_id()), metadata={"old": "1"})
    asked, changes = Request(new_id(), "UpdateCustomer", b"body"), {"metadata": {"new": "1"}}
    faulty.hold_reads = asyncio.Event()
    slow = asyncio.create_task(update(faulty_desk, asked, created["id"], changes))
    await faulty.answered.wait()
    await execute(pool, "update payment_kit.requests set locked_until = now() where state = 'running'")
    answer = await update(desk, asked, created["id"], changes)

    faulty.hold_reads.set()

    assert await slow == answer
    assert next(iter(sandbox.store.rows("customer")))["metadata"] == {"new": "1"}


def refusing(faulty: Faulty) -> asyncio.Event:
    """Let Stripe's answer be a refusal, held back until the event is set."""
    refused = asyncio.Event()

    async def refuse() -> None:
        await refused.wait()
        raise Refused("STRIPE_STATE", "Not now.")

    faulty.then = refuse
    return refused


async def test_who_was_overtaken_tells_no_error_the_other_did_not_meet(
    faulty: Faulty, faulty_desk: Desk, desk: Desk, pool: Pool
) -> None:
    asked, refused = request(new_id()), refusing(faulty)
    slow = asyncio.create_task(create(faulty_desk, asked))
    await faulty.answered.wait()
    await execute(pool, "update payment_kit.requests set locked_until = now()")
    answer = await create(desk, asked)
    refused.set()

    assert await slow == answer
    assert await create(desk, asked) == answer


async def test_who_was_overtaken_stores_no_error_while_the_other_is_at_it(
    faulty: Faulty, faulty_desk: Desk, desk: Desk, pool: Pool
) -> None:
    asked, refused = request(new_id()), refusing(faulty)
    slow = asyncio.create_task(create(faulty_desk, asked))
    await faulty.answered.wait()
    # Another process has taken over and holds the lease now.
    await execute(
        pool, "update payment_kit.requests set attempt = attempt + 1, locked_until = now() + interval '4 seconds'"
    )
    refused.set()

    with pytest.raises(Conflict) as caught:
        await slow
    assert caught.value.reason == "REQUEST_IN_PROGRESS"
    assert await execute(pool, "select state, outcome from payment_kit.requests") == [("running", None)]


async def test_who_slept_through_its_lease_does_not_ask_stripe(
    desk: Desk, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    created = await create(desk, request(new_id()))
    asked, find = Request(new_id(), "UpdateCustomer", b"body"), desk.writes.mirror.standing

    async def sleepy(kind: str, id_: str) -> Any:
        found = await find(kind, id_)
        time.sleep(0.4)  # noqa: ASYNC251  # the whole process stands still, its renewals too
        return found

    monkeypatch.setattr(desk.writes.mirror, "standing", sleepy)
    monkeypatch.setattr(desk.writes, "_lease_seconds", 0.3)

    with pytest.raises(Conflict) as caught:
        await update(desk, asked, created["id"], {"name": "Late"})

    assert caught.value.reason == "REQUEST_IN_PROGRESS"
    assert next(iter(sandbox.store.rows("customer")))["name"] == "Jo"


async def test_a_plan_that_differs_from_the_stored_one_is_not_followed(
    faulty: Faulty, faulty_desk: Desk, desk: Desk, sandbox: Sandbox, pool: Pool
) -> None:
    created = await create(desk, request(new_id()))
    asked, changes = Request(new_id(), "UpdateCustomer", b"body"), {"metadata": {"new": "1"}}
    faulty.hold_reads = asyncio.Event()
    slow = asyncio.create_task(update(faulty_desk, asked, created["id"], changes))
    await faulty.answered.wait()
    # An earlier try has settled another plan, and asked Stripe by it.
    plan = b'{"remove_metadata":["gone"]}'
    async with pool.connection() as connection:
        await connection.execute("update payment_kit.requests set outcome = %s where state = 'running'", [plan])
    key = idempotency_key(sandbox.account_id, asked.id)
    sent = {"metadata": {"gone": "", "new": "1"}}
    await desk.gateway.request("post", f"/v1/customers/{created['id']}", sent, idempotency_key=key)
    faulty.hold_reads.set()

    assert (await slow)["metadata"] == {"new": "1"}

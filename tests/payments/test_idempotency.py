"""A write happens once, whatever is lost on the way, and every caller is told the same."""

import asyncio

import pytest

from payment_kit.database.connection import Pool, open_pool
from payment_kit.errors import Conflict, Declined, Refused, Unavailable, UsageProblem
from payment_kit.money import Money
from payment_kit.payments.desk import Desk, open_desk
from payment_kit.payments.idempotency import Request, idempotency_key
from payment_kit.sandbox import Sandbox

from ..fix_service import new_id
from ..waiting import SECONDS_MAX
from .acts import create, pay, update
from .faulty import Faulty, execute, made, request


async def test_a_repeated_write_answers_the_same_and_happens_once(desk: Desk, sandbox: Sandbox) -> None:
    asked = request(new_id())

    first, second = await create(desk, asked), await create(desk, asked)

    assert first == second
    assert made(sandbox) == 1


async def test_eight_at_once_make_one_object(desk: Desk, sandbox: Sandbox) -> None:
    asked = request(new_id())

    answers = await asyncio.gather(*(create(desk, asked) for _ in range(8)), return_exceptions=True)

    ids = {answer["id"] for answer in answers if isinstance(answer, dict)}
    problems = [answer for answer in answers if isinstance(answer, BaseException)]
    assert len(ids) == made(sandbox) == 1
    assert all(isinstance(problem, Conflict) and problem.reason == "REQUEST_IN_PROGRESS" for problem in problems)


async def test_another_body_under_the_same_request_id_is_refused(desk: Desk, sandbox: Sandbox) -> None:
    request_id = new_id()
    await create(desk, request(request_id))

    with pytest.raises(UsageProblem) as caught:
        await create(desk, request(request_id, digest=b"other"), name="Other")

    assert caught.value.reason == "REQUEST_ID_REUSED"
    assert made(sandbox) == 1


async def test_another_method_under_the_same_request_id_is_refused(desk: Desk) -> None:
    request_id = new_id()
    await create(desk, request(request_id))

    with pytest.raises(UsageProblem) as caught:
        await create(desk, Request(request_id, "CreateProduct", b"body"))

    assert caught.value.reason == "REQUEST_ID_REUSED"


async def test_an_unknown_outcome_can_be_repeated_at_once(
    faulty: Faulty, faulty_desk: Desk, desk: Desk, sandbox: Sandbox
) -> None:
    asked, faulty.lose = request(new_id()), True
    with pytest.raises(Unavailable) as caught:
        await create(faulty_desk, asked)

    answer = await create(desk, asked)

    assert caught.value.reason == "STRIPE_OUTCOME_UNKNOWN"
    assert made(sandbox) == 1
    assert (await desk.reader.get("customer", answer["id"]))["name"] == "Jo"


async def test_a_database_that_fails_after_stripe_answered_leaves_an_unknown_outcome(
    desk: Desk, sandbox: Sandbox, pool: Pool
) -> None:
    asked = request(new_id())
    await execute(pool, "alter table payment_kit.requests add constraint never_done check (state <> 'done')")
    with pytest.raises(Unavailable) as caught:
        await create(desk, asked)
    assert caught.value.reason == "STRIPE_OUTCOME_UNKNOWN"
    await execute(pool, "alter table payment_kit.requests drop constraint never_done")

    answer = await create(desk, asked)

    assert made(sandbox) == 1
    assert (await desk.reader.get("customer", answer["id"]))["id"] == answer["id"]


async def test_a_database_that_goes_away_after_stripe_answered_makes_the_outcome_unknown(
    faulty: Faulty, database: str, desk: Desk, sandbox: Sandbox
) -> None:
    asked = request(new_id())
    lost = await open_pool(database, max_size=2, name="lost")
    faulty.then = lost.close
    with pytest.raises(Unavailable) as caught:
        await create(open_desk(lost, faulty, account=sandbox.account_id, livemode=False), asked)  # type: ignore[arg-type]
    assert caught.value.reason == "STRIPE_OUTCOME_UNKNOWN"

    await execute(desk.reader._pool, "update payment_kit.requests set locked_until = now()")
    await create(desk, asked)

    assert made(sandbox) == 1


async def test_a_decline_is_stored_and_told_again_without_asking_stripe(desk: Desk, sandbox: Sandbox) -> None:
    asked = request(new_id())
    declined = "pm_card_chargeDeclinedInsufficientFunds"
    with pytest.raises(Declined) as first:
        await pay(desk, asked, Money(500, "jpy"), payment_method=declined)

    with pytest.raises(Declined) as second:
        await pay(desk, asked, Money(500, "jpy"), payment_method=declined)

    assert first.value.metadata["decline_code"] == second.value.metadata["decline_code"] == "insufficient_funds"
    assert made(sandbox, "payment_intent") == made(sandbox, "charge") == 1


async def test_what_our_own_rules_refuse_leaves_nothing_behind(desk: Desk, pool: Pool) -> None:
    with pytest.raises(UsageProblem):
        await pay(desk, request(new_id()), Money(5, "usd"), off_session=True)

    assert await execute(pool, "select * from payment_kit.requests") == []


async def test_a_client_secret_is_never_stored_and_is_fetched_again_while_it_is_of_use(desk: Desk, pool: Pool) -> None:
    asked = request(new_id())
    first = await pay(desk, asked, Money(500, "jpy"))

    second = await pay(desk, asked, Money(500, "jpy"))

    assert first["client_secret"].startswith(first["id"] + "_secret_")
    assert second == first
    secret = first["client_secret"]
    stored = await execute(pool, "select convert_from(outcome, 'utf8') from payment_kit.requests")
    mirrored = await execute(pool, "select raw::text from stripe.payment_intents")
    assert len(stored) == len(mirrored) == 1
    assert secret not in str([stored, mirrored])


async def test_a_paid_payments_secret_is_not_given_out_again(desk: Desk) -> None:
    asked = request(new_id())
    await pay(desk, asked, Money(500, "jpy"), payment_method="pm_card_visa")

    assert "client_secret" not in await pay(desk, asked, Money(500, "jpy"), payment_method="pm_card_visa")


async def test_a_caller_who_leaves_after_stripe_was_asked_does_not_stop_the_write(
    faulty: Faulty, faulty_desk: Desk, desk: Desk, pool: Pool
) -> None:
    asked = request(new_id())
    call = asyncio.create_task(create(faulty_desk, asked))
    await faulty.answered.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call

    assert await faulty_desk.writes.settle(SECONDS_MAX)

    assert await execute(pool, "select state from payment_kit.requests") == [("done",)]
    assert (await create(desk, asked))["name"] == "Jo"


async def test_a_caller_who_leaves_before_stripe_is_asked_stops_the_write(
    faulty: Faulty, faulty_desk: Desk, desk: Desk, sandbox: Sandbox
) -> None:
    customer = await create(desk, request(new_id()))
    faulty.hold_reads = asyncio.Event()
    asked = Request(new_id(), "UpdateCustomer", b"body")
    changes = {"metadata": {"kept": "1"}}
    call = asyncio.create_task(update(faulty_desk, asked, customer["id"], changes))
    await faulty.answered.wait()
    call.cancel()
    faulty.hold_reads.set()

    assert await faulty_desk.writes.settle(SECONDS_MAX)

    assert next(iter(sandbox.store.rows("customer")))["metadata"] == {}
    # Released, not done: the same request can still be made.
    assert (await update(desk, asked, customer["id"], changes))["metadata"] == {"kept": "1"}


async def test_stripe_is_not_waited_for_long_after_the_deadline(
    faulty: Faulty, faulty_desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("payment_kit.payments.idempotency.DEADLINE_GRACE_SECONDS", 0.0)
    faulty.hang = True

    with pytest.raises(Unavailable) as caught:
        await create(faulty_desk, request(new_id(), seconds_left=0.5))

    assert caught.value.reason == "STRIPE_OUTCOME_UNKNOWN"


async def test_a_write_older_than_stripes_memory_of_its_key_is_not_sent_again(
    faulty: Faulty, faulty_desk: Desk, desk: Desk, sandbox: Sandbox, pool: Pool
) -> None:
    asked, faulty.lose = request(new_id()), True
    with pytest.raises(Unavailable):
        await create(faulty_desk, asked)
    await execute(pool, "update payment_kit.requests set created_at = now() - interval '24 hours'")

    for _ in range(2):
        with pytest.raises(Refused) as caught:
            await create(desk, asked)
        assert caught.value.reason == "STRIPE_OUTCOME_UNKNOWN"

    assert made(sandbox) == 1


def test_an_idempotency_key_fits_stripes_bound() -> None:
    key = idempotency_key("acct_" + "x" * 60, new_id(), "details")

    assert len(key) <= 255

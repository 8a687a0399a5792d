"""A write happens once, whatever is lost on the way, and every caller is told the same."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import pytest

from payment_kit.database.connection import Pool, open_pool
from payment_kit.errors import Conflict, Declined, Refused, Unavailable, UsageProblem
from payment_kit.money import Money
from payment_kit.payments import customers, payment_intents, payment_methods
from payment_kit.payments.desk import Desk, open_desk
from payment_kit.payments.idempotency import Request, _Lease, idempotency_key
from payment_kit.payments.payment_intents import Draft
from payment_kit.sandbox import Sandbox
from payment_kit.stripe_gateway import Reply, StripeGateway

from ..fix_service import new_id

Payload = dict[str, Any]


class Faulty:
    """The real gateway with something going wrong after Stripe has answered a write, or before it is asked."""

    def __init__(self, gateway: StripeGateway) -> None:
        self._gateway = gateway
        self.answered = asyncio.Event()
        self.hang = False
        self.lose = False
        self.then: Callable[[], Awaitable[object]] | None = None
        self.hold_reads: asyncio.Event | None = None

    async def request(
        self, method: Any, path: str, params: Mapping[str, Any] | None = None, *, idempotency_key: str | None = None
    ) -> Reply:
        if method == "get" and self.hold_reads is not None:
            self.answered.set()
            await self.hold_reads.wait()
        reply = await self._gateway.request(method, path, params, idempotency_key=idempotency_key)
        if method == "post":
            self.answered.set()
            if self.then:
                await self.then()
            if self.hang:
                await asyncio.Event().wait()
            if self.lose:
                raise Unavailable("STRIPE_OUTCOME_UNKNOWN", "The answer was lost.")
        return reply


@pytest.fixture
def faulty(gateway: StripeGateway) -> Faulty:
    return Faulty(gateway)


@pytest.fixture
async def faulty_desk(faulty: Faulty, pool: Pool, sandbox: Sandbox) -> AsyncIterator[Desk]:
    desk = open_desk(pool, faulty, account=sandbox.account_id, livemode=False)  # type: ignore[arg-type]
    yield desk
    for task in desk.writes._running:
        task.cancel()
    await desk.writes.settle(5)


def request(request_id: str, *, digest: bytes = b"body", seconds_left: float | None = None) -> Request:
    return Request(request_id, "CreateCustomer", digest, seconds_left)


async def create(desk: Desk, asked: Request, name: str = "Jo") -> Payload:
    return await customers.create(desk, asked, email="", name=name, phone="", description="", metadata={})


async def save_card(desk: Desk, asked: Request, customer: str) -> Payload:
    return await payment_methods.create(
        desk,
        asked,
        customer=customer,
        card_token="tok_visa",
        payment_method="",
        billing_name="",
        billing_email="",
        metadata={},
    )


def made(sandbox: Sandbox, kind: str = "customer") -> int:
    return len(list(sandbox.store.rows(kind)))


async def execute(pool: Pool, statement: str) -> list[tuple[Any, ...]]:
    async with pool.connection() as connection:
        cursor = await connection.execute(statement.encode())
        return await cursor.fetchall() if cursor.description else []


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
    faulty: Faulty, faulty_desk: Desk, desk: Desk, pool: Pool
) -> None:
    asked, faulty.hang = request(new_id()), True
    faulty_desk.writes._lease_seconds = 0.3
    slow = asyncio.create_task(create(faulty_desk, asked))
    await faulty.answered.wait()
    [(first,)] = await execute(pool, "select locked_until from payment_kit.requests")

    async with asyncio.timeout(10):
        while await execute(  # noqa: ASYNC110  # what changes is a row
            pool, f"select 1 from payment_kit.requests where locked_until < '{first}'::timestamptz + '1s'"
        ):
            await asyncio.sleep(0.05)

    with pytest.raises(Conflict):
        await create(desk, asked)
    slow.cancel()


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


async def test_a_renewal_that_comes_after_the_release_holds_nothing(
    faulty: Faulty, faulty_desk: Desk, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, faulty.lose = request(new_id()), True
    monkeypatch.setattr(faulty_desk.writes, "_lease_seconds", 0.03)
    with pytest.raises(Unavailable):
        await create(faulty_desk, asked)

    late = asyncio.create_task(faulty_desk.writes._renew(asked, _Lease(1, 0.0)))
    await asyncio.wait_for(late, 5)

    assert (await create(desk, asked))["name"] == "Jo"


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
    draft = Draft(Money(500, "jpy"), payment_method="pm_card_chargeDeclinedInsufficientFunds", confirm=True)
    with pytest.raises(Declined) as first:
        await payment_intents.create(desk, asked, draft)

    with pytest.raises(Declined) as second:
        await payment_intents.create(desk, asked, draft)

    assert first.value.metadata["decline_code"] == second.value.metadata["decline_code"] == "insufficient_funds"
    assert made(sandbox, "payment_intent") == made(sandbox, "charge") == 1


async def test_what_our_own_rules_refuse_leaves_nothing_behind(desk: Desk, pool: Pool) -> None:
    with pytest.raises(UsageProblem):
        await payment_intents.create(desk, request(new_id()), Draft(Money(0, "usd")))

    assert await execute(pool, "select * from payment_kit.requests") == []


async def test_a_client_secret_is_never_stored_and_is_fetched_again_while_it_is_of_use(desk: Desk, pool: Pool) -> None:
    asked = request(new_id())
    first = await payment_intents.create(desk, asked, Draft(Money(500, "jpy")))

    second = await payment_intents.create(desk, asked, Draft(Money(500, "jpy")))

    assert first["client_secret"].startswith(first["id"] + "_secret_")
    assert second == first
    secret = first["client_secret"]
    stored = await execute(pool, "select convert_from(outcome, 'utf8') from payment_kit.requests")
    mirrored = await execute(pool, "select raw::text from stripe.payment_intents")
    kept = await execute(pool, "select raw::text from payment_kit.versions")
    assert len(stored) == len(mirrored) == len(kept) == 1
    assert secret not in str([stored, mirrored, kept])


async def test_a_paid_payments_secret_is_not_given_out_again(desk: Desk) -> None:
    asked = request(new_id())
    draft = Draft(Money(500, "jpy"), payment_method="pm_card_visa", confirm=True)
    await payment_intents.create(desk, asked, draft)

    assert "client_secret" not in await payment_intents.create(desk, asked, draft)


async def test_a_caller_who_leaves_after_stripe_was_asked_does_not_stop_the_write(
    faulty: Faulty, faulty_desk: Desk, desk: Desk, pool: Pool
) -> None:
    asked = request(new_id())
    call = asyncio.create_task(create(faulty_desk, asked))
    await faulty.answered.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call

    assert await faulty_desk.writes.settle(10)

    assert await execute(pool, "select state from payment_kit.requests") == [("done",)]
    assert (await create(desk, asked))["name"] == "Jo"


async def test_a_caller_who_leaves_before_stripe_is_asked_stops_the_write(
    faulty: Faulty, faulty_desk: Desk, desk: Desk, sandbox: Sandbox
) -> None:
    customer = await create(desk, request(new_id()))
    faulty.hold_reads = asyncio.Event()
    asked = Request(new_id(), "UpdateCustomer", b"body")
    changes = {"metadata": {"kept": "1"}}
    call = asyncio.create_task(customers.update(faulty_desk, asked, customer["id"], changes))
    await faulty.answered.wait()
    call.cancel()
    faulty.hold_reads.set()

    assert await faulty_desk.writes.settle(10)

    assert next(iter(sandbox.store.rows("customer")))["metadata"] == {}
    # Released, not done: the same request can still be made.
    assert (await customers.update(desk, asked, customer["id"], changes))["metadata"] == {"kept": "1"}


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


async def test_replacing_metadata_sends_the_same_again_whatever_changed_meanwhile(
    faulty: Faulty, faulty_desk: Desk, desk: Desk, sandbox: Sandbox
) -> None:
    created = await customers.create(
        desk, request(new_id()), email="", name="", phone="", description="", metadata={"old": "1", "both": "1"}
    )
    asked, faulty.lose = Request(new_id(), "UpdateCustomer", b"body"), True
    changes = {"metadata": {"both": "2", "new": "2"}}
    with pytest.raises(Unavailable):
        await customers.update(faulty_desk, asked, created["id"], changes)

    answer = await customers.update(desk, asked, created["id"], changes)

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

    assert await faulty_desk.writes.settle(10)

    states = await execute(pool, "select state from payment_kit.requests where method = 'CreatePaymentMethod'")
    assert states == [("done",)]


async def test_who_was_overtaken_before_it_asked_stripe_answers_what_the_other_did(
    faulty: Faulty, faulty_desk: Desk, desk: Desk, pool: Pool, sandbox: Sandbox
) -> None:
    created = await customers.create(
        desk, request(new_id()), email="", name="", phone="", description="", metadata={"old": "1"}
    )
    asked, changes = Request(new_id(), "UpdateCustomer", b"body"), {"metadata": {"new": "1"}}
    faulty.hold_reads = asyncio.Event()
    slow = asyncio.create_task(customers.update(faulty_desk, asked, created["id"], changes))
    await faulty.answered.wait()
    await execute(pool, "update payment_kit.requests set locked_until = now() where state = 'running'")
    answer = await customers.update(desk, asked, created["id"], changes)

    faulty.hold_reads.set()

    assert await slow == answer
    assert next(iter(sandbox.store.rows("customer")))["metadata"] == {"new": "1"}


async def test_who_was_overtaken_tells_no_error_the_other_did_not_meet(
    faulty: Faulty, faulty_desk: Desk, desk: Desk, pool: Pool
) -> None:
    asked, refused = request(new_id()), asyncio.Event()

    async def refuse() -> None:
        await refused.wait()
        raise Refused("STRIPE_STATE", "Not now.")

    faulty.then = refuse
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
    asked, refused = request(new_id()), asyncio.Event()

    async def refuse() -> None:
        await refused.wait()
        raise Refused("STRIPE_STATE", "Not now.")

    faulty.then = refuse
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
        await customers.update(desk, asked, created["id"], {"name": "Late"})

    assert caught.value.reason == "REQUEST_IN_PROGRESS"
    assert next(iter(sandbox.store.rows("customer")))["name"] == "Jo"


async def test_a_plan_that_differs_from_the_stored_one_is_not_followed(
    faulty: Faulty, faulty_desk: Desk, desk: Desk, sandbox: Sandbox, pool: Pool
) -> None:
    created = await create(desk, request(new_id()))
    asked, changes = Request(new_id(), "UpdateCustomer", b"body"), {"metadata": {"new": "1"}}
    faulty.hold_reads = asyncio.Event()
    slow = asyncio.create_task(customers.update(faulty_desk, asked, created["id"], changes))
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


def test_an_idempotency_key_fits_stripes_bound() -> None:
    key = idempotency_key("acct_" + "x" * 60, new_id(), "details")

    assert len(key) <= 255

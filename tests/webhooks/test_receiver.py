"""The HTTP door: every delivery Stripe, or somebody else, may make, and what is in the inbox afterwards."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import orjson
import pytest
import uvicorn
from pydantic import SecretStr

from payment_kit.database.connection import Pool
from payment_kit.mirror.inbox import Inbox
from payment_kit.mirror.intake import Intake
from payment_kit.mirror.signature import sign
from payment_kit.webhooks.receiver import PATH, receiver
from tests.mirror.events import ACCOUNT, NOON, customer, event
from tests.waiting import until

SECRET = "whsec_receiver"
LIMIT = 4096


class Door:
    """The receiver on a real port."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self.url = url
        self.session = session

    async def post(self, body: Any, *, signature: str | None = None) -> tuple[int, dict[str, Any]]:
        """Deliver `body`, signed rightly unless a signature is given; returns status and answer."""
        if signature is None:
            signature = sign(body, SECRET, NOON)
        async with self.session.post(self.url + PATH, data=body, headers={"Stripe-Signature": signature}) as answer:
            return answer.status, await answer.json()


@pytest.fixture
async def door(pool: Pool, unused_tcp_port: int) -> AsyncIterator[Door]:
    intake = Intake(Inbox(pool, ACCOUNT), [SecretStr(SECRET)], False, body_bytes_max=LIMIT, now=lambda: NOON)
    config = uvicorn.Config(receiver(intake), port=unused_tcp_port, log_level="error", lifespan="off", ws="none")
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server._serve())
    await until(lambda: server.started)
    async with aiohttp.ClientSession() as session:
        yield Door(f"http://127.0.0.1:{unused_tcp_port}", session)
    server.should_exit = True
    await serving


async def _stored(pool: Pool) -> list[tuple[Any, ...]]:
    async with pool.connection() as connection:
        return await (await connection.execute("select event_id, type from payment_kit.inbox")).fetchall()


async def test_a_signed_event_is_stored_and_acknowledged(door: Door, pool: Pool) -> None:
    assert await door.post(orjson.dumps(event(customer()))) == (200, {"received": "evt_1", "new": True})
    assert await _stored(pool) == [("evt_1", "customer.updated")]


async def test_an_unknown_type_is_stored_and_acknowledged(door: Door, pool: Pool) -> None:
    status, _ = await door.post(orjson.dumps(event({"object": "starship", "id": "ss_1"}, "starship.launched")))
    assert (status, await _stored(pool)) == (200, [("evt_1", "starship.launched")])


BODY = orjson.dumps(event(customer()))


@pytest.mark.parametrize(
    ("body", "signature", "status", "code"),
    [
        (BODY, sign(BODY, "whsec_wrong", NOON), 400, "PK-SIGNATURE_INVALID"),
        (BODY, "", 400, "PK-SIGNATURE_INVALID"),
        (BODY, sign(BODY, SECRET, NOON - 301), 400, "PK-TIMESTAMP_OUT_OF_TOLERANCE"),
        (BODY, sign(BODY, SECRET, NOON + 301), 400, "PK-TIMESTAMP_OUT_OF_TOLERANCE"),
        (b"{" + BODY, None, 400, "PK-BODY_INVALID"),
        (b"", None, 400, "PK-BODY_INVALID"),
        (orjson.dumps(customer()), None, 400, "PK-BODY_INVALID"),
        (BODY.replace(b'"livemode":false,"api', b'"livemode":true,"api'), None, 400, "PK-LIVEMODE_MISMATCH"),
        (BODY + b" " * LIMIT, None, 413, "PK-BODY_TOO_LARGE"),
    ],
    ids=["signature", "no-header", "old", "future", "json", "empty", "no-event", "livemode", "large"],
)
async def test_what_is_refused_leaves_nothing(
    door: Door, pool: Pool, body: bytes, signature: str | None, status: int, code: str
) -> None:
    answered, answer = await door.post(body, signature=signature)
    assert (answered, answer["error"]["code"], await _stored(pool)) == (status, code, [])


async def test_a_body_without_a_length_is_cut_off_at_the_bound(door: Door, pool: Pool) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(64):
            yield b" " * 1024

    status, _ = await door.post(endless(), signature="t=1,v1=x")
    assert (status, await _stored(pool)) == (413, [])


async def test_while_storage_is_away_stripe_is_asked_to_come_again(door: Door, pool: Pool) -> None:
    await pool.close()
    status, answer = await door.post(BODY)
    assert (status, answer["error"]["code"]) == (503, "PK-DATABASE_UNREACHABLE")


async def test_a_refusal_repeats_nothing_of_the_body(door: Door) -> None:
    _, answer = await door.post(b'{"card": "4242424242424242"}')
    assert "4242" not in str(answer)


async def test_health_needs_no_signature(door: Door) -> None:
    async with door.session.get(door.url + "/healthz") as answer:
        assert answer.status == 200

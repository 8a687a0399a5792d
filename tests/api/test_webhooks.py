"""HandleWebhook keeps the rule of the HTTP receiver."""

import time
from collections.abc import Callable

import grpc
import orjson
import pytest

from payment_kit.v1.webhook_pb2 import HandleWebhookRequest

from ..fix_service import Failure, Service, failure, signed

EVENT = {
    "id": "evt_1",
    "object": "event",
    "type": "something.new",
    "created": 1_782_864_000,
    "livemode": False,
    "api_version": "2026-10-28.endive",
    "data": {"object": {"id": "thing_1", "object": "thing"}},
}
BODY = orjson.dumps(EVENT)


async def refused(service: Service, body: bytes, signature: str) -> Failure:
    failed = await failure(service.webhooks.HandleWebhook(HandleWebhookRequest(payload=body, signature=signature)))
    assert await service.rows("select * from payment_kit.inbox") == []
    return failed


async def test_a_signed_event_is_stored_byte_for_byte(service: Service) -> None:
    answer = await service.webhooks.HandleWebhook(HandleWebhookRequest(payload=BODY, signature=signed(BODY)))

    assert (answer.event_id, answer.duplicate) == ("evt_1", False)
    rows = await service.rows("select event_id, body, source from payment_kit.inbox")
    assert rows == [("evt_1", BODY, "grpc")]


async def test_an_event_that_comes_twice_is_stored_once(service: Service) -> None:
    for duplicate in (False, True):
        answer = await service.webhooks.HandleWebhook(HandleWebhookRequest(payload=BODY, signature=signed(BODY)))
        assert answer.duplicate is duplicate

    assert await service.rows("select deliveries from payment_kit.inbox") == [(2,)]


@pytest.mark.parametrize(
    ("body", "sign", "reason"),
    [
        (BODY, lambda _: "", "SIGNATURE_INVALID"),
        (BODY, lambda body: signed(body, secret="whsec_other"), "SIGNATURE_INVALID"),
        (BODY, lambda body: signed(body + b" "), "SIGNATURE_INVALID"),
        (BODY, lambda body: signed(body, at=time.time() - 3600), "TIMESTAMP_OUT_OF_TOLERANCE"),
        (BODY, lambda body: signed(body, at=time.time() + 3600), "TIMESTAMP_OUT_OF_TOLERANCE"),
        (b"{", signed, "BODY_INVALID"),
        (b" " * (65 << 10), signed, "BODY_TOO_LARGE"),
    ],
    ids=["no signature", "other secret", "changed body", "old", "future", "no JSON", "too large"],
)
async def test_what_is_not_a_fresh_signed_event_is_refused_and_not_stored(
    service: Service, body: bytes, sign: Callable[[bytes], str], reason: str
) -> None:
    failed = await refused(service, body, sign(body))

    assert (failed.code, failed.reason) == (grpc.StatusCode.INVALID_ARGUMENT, reason)


async def test_a_live_event_is_refused_in_test_mode(service: Service) -> None:
    body = orjson.dumps(EVENT | {"livemode": True})

    assert (await refused(service, body, signed(body))).reason == "LIVEMODE_MISMATCH"

"""SetupIntentService over a real channel."""

import grpc
import pytest

from payment_kit.v1.payment_method_pb2 import GetPaymentMethodRequest
from payment_kit.v1.setup_intent_pb2 import (
    CancelSetupIntentRequest,
    ConfirmSetupIntentRequest,
    CreateSetupIntentRequest,
    GetSetupIntentRequest,
    ListSetupIntentsRequest,
    SetupIntent,
)

from ..fix_service import Service, failure, new_id
from . import calls

DONE = "https://shop.example/done"


def setup(customer: str = "", **fields: object) -> CreateSetupIntentRequest:
    return CreateSetupIntentRequest(request_id=new_id(), customer=customer, **fields)  # type: ignore[arg-type]


async def made(service: Service, request: CreateSetupIntentRequest) -> SetupIntent:
    return (await service.setup_intents.CreateSetupIntent(request)).setup_intent


async def read(service: Service, id_: str) -> SetupIntent:
    return (await service.setup_intents.GetSetupIntent(GetSetupIntentRequest(id=id_))).setup_intent


async def test_a_card_is_saved_at_once_and_belongs_to_its_customer(service: Service) -> None:
    customer = (await calls.customer(service)).id
    request = setup(customer, payment_method="pm_card_visa", confirm=True, metadata={"team": "7"})

    saved = await made(service, request)

    assert (saved.state, saved.customer) == (SetupIntent.STATE_SUCCEEDED, customer)
    assert (saved.usage, dict(saved.metadata)) == (SetupIntent.USAGE_OFF_SESSION, {"team": "7"})
    card = GetPaymentMethodRequest(id=saved.payment_method)
    assert (await service.payment_methods.GetPaymentMethod(card)).payment_method.customer == customer
    assert await service.rows("select id from stripe.setup_attempts") == [(saved.latest_attempt,)]


async def test_it_is_read_back_without_its_secret_which_only_writes_tell(service: Service) -> None:
    request = setup(usage=SetupIntent.USAGE_ON_SESSION, description="later")

    first = await made(service, request)
    again = await made(service, request)

    assert first.client_secret.startswith(first.id)
    assert again == first
    assert len(service.made("setup_intent")) == 1
    found = await read(service, first.id)
    assert (found.client_secret, found.usage) == ("", SetupIntent.USAGE_ON_SESSION)
    first.client_secret = ""
    assert found == first
    stored = await service.rows("select outcome from payment_kit.requests")
    assert all(b"_secret_" not in bytes(outcome) for (outcome,) in stored)


async def test_it_is_confirmed_later(service: Service) -> None:
    begun = await made(service, setup())
    assert begun.state == SetupIntent.STATE_REQUIRES_PAYMENT_METHOD

    confirm = ConfirmSetupIntentRequest(request_id=new_id(), id=begun.id, payment_method="pm_card_mastercard")
    done = (await service.setup_intents.ConfirmSetupIntent(confirm)).setup_intent

    assert done.state == SetupIntent.STATE_SUCCEEDED
    assert (await read(service, begun.id)).state == SetupIntent.STATE_SUCCEEDED


async def test_a_customer_who_must_authenticate_gets_a_secret_for_the_browser(service: Service) -> None:
    request = setup(payment_method="pm_card_authenticationRequired", confirm=True, return_url=DONE)

    asked = await made(service, request)

    assert asked.state == SetupIntent.STATE_REQUIRES_ACTION
    assert asked.client_secret.startswith(asked.id)
    again = ConfirmSetupIntentRequest(
        request_id=new_id(), id=asked.id, payment_method="pm_card_authenticationRequired", return_url=DONE
    )
    first = await service.setup_intents.ConfirmSetupIntent(again)
    assert first.setup_intent.client_secret == asked.client_secret
    assert await service.setup_intents.ConfirmSetupIntent(again) == first


async def test_a_refused_card_says_why_and_the_intent_can_be_read(service: Service) -> None:
    request = setup(payment_method="pm_card_chargeDeclinedInsufficientFunds", confirm=True)

    failed = await failure(service.setup_intents.CreateSetupIntent(request))

    assert (failed.code, failed.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "CARD_DECLINED")
    found = await read(service, failed.metadata["setup_intent"])
    assert found.state == SetupIntent.STATE_REQUIRES_PAYMENT_METHOD
    assert (found.last_error_code, found.last_decline_code) == ("card_declined", "insufficient_funds")
    assert await failure(service.setup_intents.CreateSetupIntent(request)) == failed
    assert len(service.made("setup_intent")) == 1


async def test_it_is_given_up_once(service: Service) -> None:
    begun = await made(service, setup())
    reason = CancelSetupIntentRequest.REASON_ABANDONED
    request = CancelSetupIntentRequest(request_id=new_id(), id=begun.id, reason=reason)

    ended = (await service.setup_intents.CancelSetupIntent(request)).setup_intent

    assert ended.state == SetupIntent.STATE_CANCELED
    assert (await service.setup_intents.CancelSetupIntent(request)).setup_intent.state == ended.state
    assert service.made("setup_intent")[0]["cancellation_reason"] == "abandoned"
    again = CancelSetupIntentRequest(request_id=new_id(), id=begun.id)
    failed = await failure(service.setup_intents.CancelSetupIntent(again))
    assert (failed.code, failed.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "STRIPE_STATE")


@pytest.mark.parametrize(
    ("field", "fields"),
    [
        ("payment_method", {"confirm": True}),
        ("return_url", {"return_url": "https://shop.example"}),
        ("customer", {"customer": "pi_1"}),
    ],
)
async def test_what_cannot_be_is_refused_before_anything_happens(
    service: Service, field: str, fields: dict[str, object]
) -> None:
    request = CreateSetupIntentRequest(request_id=new_id(), **fields)  # type: ignore[arg-type]

    failed = await failure(service.setup_intents.CreateSetupIntent(request))

    assert (failed.code, failed.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "FIELD_INVALID")
    assert failed.fields == (field,)
    assert service.made("setup_intent") == []


async def test_one_that_never_was_is_not_found(service: Service) -> None:
    confirm = ConfirmSetupIntentRequest(request_id=new_id(), id="seti_none", payment_method="pm_card_visa")
    read = await failure(service.setup_intents.GetSetupIntent(GetSetupIntentRequest(id="seti_none")))
    confirmed = await failure(service.setup_intents.ConfirmSetupIntent(confirm))
    assert read.code == confirmed.code == grpc.StatusCode.NOT_FOUND
    assert read.reason == confirmed.reason == "RESOURCE_NOT_FOUND"


async def test_they_are_listed_by_customer_and_state_in_pages(service: Service) -> None:
    assert not (await service.setup_intents.ListSetupIntents(ListSetupIntentsRequest())).setup_intents
    customer = (await calls.customer(service)).id
    mine = [(await made(service, setup(customer))).id for _ in range(3)]
    saved = (await made(service, setup(payment_method="pm_card_visa", confirm=True))).id

    found = await calls.pages(service.setup_intents.ListSetupIntents, ListSetupIntentsRequest(), "setup_intents")
    assert [len(page) for page in found] == [2, 2]
    assert {id_ for page in found for id_ in page} == {*mine, saved}

    async def listed(**fields: object) -> set[str]:
        request = ListSetupIntentsRequest(**fields)  # type: ignore[arg-type]
        return {one.id for one in (await service.setup_intents.ListSetupIntents(request)).setup_intents}

    assert await listed(customer=customer) == set(mine)
    assert await listed(state=SetupIntent.STATE_SUCCEEDED) == {saved}
    assert await listed(customer=customer, state=SetupIntent.STATE_SUCCEEDED) == set()

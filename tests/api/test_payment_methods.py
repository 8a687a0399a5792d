"""PaymentMethodService over a real channel."""

import grpc
from google.protobuf.field_mask_pb2 import FieldMask

from payment_kit.v1.payment_method_pb2 import (
    BillingDetails,
    Card,
    CreatePaymentMethodRequest,
    DeletePaymentMethodRequest,
    GetPaymentMethodRequest,
    ListPaymentMethodsRequest,
    PaymentMethod,
    UpdatePaymentMethodRequest,
)

from ..fix_service import Service, failure, new_id
from . import calls


async def test_a_shared_test_card_becomes_a_payment_method_of_the_customer(service: Service) -> None:
    owner = await calls.customer(service)

    saved = await calls.card(service, owner.id, "pm_card_visa")

    assert saved.id != "pm_card_visa"
    assert (saved.customer, saved.type, saved.card.brand, saved.card.last4) == (owner.id, "card", "visa", "4242")
    assert (
        await service.payment_methods.GetPaymentMethod(GetPaymentMethodRequest(id=saved.id))
    ).payment_method == saved


async def test_a_token_is_made_into_a_payment_method_and_attached(service: Service) -> None:
    owner = await calls.customer(service)
    request = CreatePaymentMethodRequest(
        request_id=new_id(),
        customer=owner.id,
        card_token="tok_mastercard",
        billing_details=BillingDetails(name="Jo", email="jo@example.com"),
        metadata={"from": "web"},
    )

    saved = (await service.payment_methods.CreatePaymentMethod(request)).payment_method
    again = (await service.payment_methods.CreatePaymentMethod(request)).payment_method

    assert saved == again
    assert (saved.customer, saved.card.brand, saved.billing_details.name) == (owner.id, "mastercard", "Jo")
    assert dict(saved.metadata) == {"from": "web"}
    assert len(service.made("payment_method")) == 1


async def test_details_of_a_given_payment_method_are_set_too(service: Service) -> None:
    owner = await calls.customer(service)
    request = CreatePaymentMethodRequest(
        request_id=new_id(), customer=owner.id, payment_method="pm_card_visa", metadata={"from": "web"}
    )

    saved = (await service.payment_methods.CreatePaymentMethod(request)).payment_method

    assert dict(saved.metadata) == {"from": "web"}
    assert (
        await service.payment_methods.GetPaymentMethod(GetPaymentMethodRequest(id=saved.id))
    ).payment_method == saved


async def test_a_card_that_is_declined_when_saved_is_a_decline(service: Service) -> None:
    owner = await calls.customer(service)
    request = CreatePaymentMethodRequest(
        request_id=new_id(), customer=owner.id, payment_method="pm_card_chargeDeclinedExpiredCard"
    )

    failed = await failure(service.payment_methods.CreatePaymentMethod(request))

    assert (failed.code, failed.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "CARD_DECLINED")
    assert failed.metadata["code"] == "expired_card"


async def test_billing_details_and_expiry_change(service: Service) -> None:
    saved = await calls.card(service, (await calls.customer(service)).id)
    request = UpdatePaymentMethodRequest(
        request_id=new_id(),
        payment_method=PaymentMethod(
            id=saved.id, billing_details=BillingDetails(name="Jo"), card=Card(exp_month=12, exp_year=2040)
        ),
        update_mask=FieldMask(paths=["billing_details.name", "card.exp_month", "card.exp_year"]),
    )

    changed = (await service.payment_methods.UpdatePaymentMethod(request)).payment_method

    assert (changed.billing_details.name, changed.card.exp_month, changed.card.exp_year) == ("Jo", 12, 2040)


async def test_a_deleted_payment_method_is_detached_for_good(service: Service) -> None:
    owner = await calls.customer(service)
    saved = await calls.card(service, owner.id)

    gone = await service.payment_methods.DeletePaymentMethod(
        DeletePaymentMethodRequest(request_id=new_id(), id=saved.id)
    )

    assert gone.payment_method.customer == ""
    read = await service.payment_methods.GetPaymentMethod(GetPaymentMethodRequest(id=saved.id))
    assert read.payment_method.customer == ""
    left = await service.payment_methods.ListPaymentMethods(ListPaymentMethodsRequest(customer=owner.id))
    assert list(left.payment_methods) == []


async def test_only_the_customers_own_are_listed_in_pages(service: Service) -> None:
    owner, other = await calls.customer(service), await calls.customer(service)
    mine = [
        await calls.card(service, owner.id, name) for name in ("pm_card_visa", "pm_card_mastercard", "pm_card_amex")
    ]
    await calls.card(service, other.id)

    first = await service.payment_methods.ListPaymentMethods(ListPaymentMethodsRequest(customer=owner.id, page_size=2))
    second = await service.payment_methods.ListPaymentMethods(
        ListPaymentMethodsRequest(customer=owner.id, page_size=2, page_token=first.next_page_token)
    )

    found = [method.id for method in (*first.payment_methods, *second.payment_methods)]
    assert sorted(found) == sorted(method.id for method in mine)
    assert second.next_page_token == ""

"""Stripe's payloads as our messages. A value this version does not know becomes UNSPECIFIED, never an error."""

from collections.abc import Mapping
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from payment_kit.v1 import (
    common_pb2,
    customer_pb2,
    payment_intent_pb2,
    payment_method_pb2,
    price_pb2,
    product_pb2,
    refund_pb2,
)

Payload = Mapping[str, Any]

INTERVALS: dict[str, price_pb2.Recurring.Interval.ValueType] = {
    "day": price_pb2.Recurring.INTERVAL_DAY,
    "week": price_pb2.Recurring.INTERVAL_WEEK,
    "month": price_pb2.Recurring.INTERVAL_MONTH,
    "year": price_pb2.Recurring.INTERVAL_YEAR,
}
REFUND_REASONS: dict[str, refund_pb2.Refund.Reason.ValueType] = {
    "duplicate": refund_pb2.Refund.REASON_DUPLICATE,
    "fraudulent": refund_pb2.Refund.REASON_FRAUDULENT,
    "requested_by_customer": refund_pb2.Refund.REASON_REQUESTED_BY_CUSTOMER,
}
CANCEL_REASONS: dict[str, payment_intent_pb2.CancelPaymentIntentRequest.Reason.ValueType] = {
    "duplicate": payment_intent_pb2.CancelPaymentIntentRequest.REASON_DUPLICATE,
    "fraudulent": payment_intent_pb2.CancelPaymentIntentRequest.REASON_FRAUDULENT,
    "requested_by_customer": payment_intent_pb2.CancelPaymentIntentRequest.REASON_REQUESTED_BY_CUSTOMER,
    "abandoned": payment_intent_pb2.CancelPaymentIntentRequest.REASON_ABANDONED,
}
PAYMENT_STATES: dict[str, payment_intent_pb2.PaymentIntent.State.ValueType] = {
    "requires_payment_method": payment_intent_pb2.PaymentIntent.STATE_REQUIRES_PAYMENT_METHOD,
    "requires_confirmation": payment_intent_pb2.PaymentIntent.STATE_REQUIRES_CONFIRMATION,
    "requires_action": payment_intent_pb2.PaymentIntent.STATE_REQUIRES_ACTION,
    "processing": payment_intent_pb2.PaymentIntent.STATE_PROCESSING,
    "requires_capture": payment_intent_pb2.PaymentIntent.STATE_REQUIRES_CAPTURE,
    "canceled": payment_intent_pb2.PaymentIntent.STATE_CANCELED,
    "succeeded": payment_intent_pb2.PaymentIntent.STATE_SUCCEEDED,
}
REFUND_STATES: dict[str, refund_pb2.Refund.State.ValueType] = {
    "pending": refund_pb2.Refund.STATE_PENDING,
    "requires_action": refund_pb2.Refund.STATE_REQUIRES_ACTION,
    "succeeded": refund_pb2.Refund.STATE_SUCCEEDED,
    "failed": refund_pb2.Refund.STATE_FAILED,
    "canceled": refund_pb2.Refund.STATE_CANCELED,
}


def customer(payload: Payload) -> customer_pb2.Customer:
    """Stripe's Customer."""
    return customer_pb2.Customer(
        id=payload["id"],
        email=_text(payload, "email"),
        name=_text(payload, "name"),
        phone=_text(payload, "phone"),
        description=_text(payload, "description"),
        default_payment_method=_id(payload.get("invoice_settings") or {}, "default_payment_method"),
        metadata=_metadata(payload),
        create_time=_time(payload, "created"),
    )


def product(payload: Payload) -> product_pb2.Product:
    """Stripe's Product."""
    return product_pb2.Product(
        id=payload["id"],
        name=_text(payload, "name"),
        description=_text(payload, "description"),
        active=payload.get("active") is True,
        metadata=_metadata(payload),
        create_time=_time(payload, "created"),
        update_time=_time(payload, "updated"),
    )


def price(payload: Payload) -> price_pb2.Price:
    """Stripe's Price; `unit_amount` is 0 when Stripe has only a fraction of a minor unit."""
    return price_pb2.Price(
        id=payload["id"],
        product=_id(payload, "product"),
        unit_amount=_money(payload, "unit_amount"),
        active=payload.get("active") is True,
        recurring=_recurring(payload.get("recurring")),
        nickname=_text(payload, "nickname"),
        lookup_key=_text(payload, "lookup_key"),
        metadata=_metadata(payload),
        create_time=_time(payload, "created"),
    )


def payment_method(payload: Payload) -> payment_method_pb2.PaymentMethod:
    """Stripe's PaymentMethod."""
    billing = payload.get("billing_details") or {}
    return payment_method_pb2.PaymentMethod(
        id=payload["id"],
        type=_text(payload, "type"),
        customer=_id(payload, "customer"),
        card=_card(payload.get("card")),
        billing_details=payment_method_pb2.BillingDetails(name=_text(billing, "name"), email=_text(billing, "email")),
        metadata=_metadata(payload),
        create_time=_time(payload, "created"),
    )


def payment_intent(payload: Payload) -> payment_intent_pb2.PaymentIntent:
    """Stripe's PaymentIntent; `client_secret` only when the payload has it."""
    error = payload.get("last_payment_error") or {}
    return payment_intent_pb2.PaymentIntent(
        id=payload["id"],
        amount=_money(payload, "amount"),
        amount_received=_money(payload, "amount_received"),
        state=PAYMENT_STATES.get(_text(payload, "status"), payment_intent_pb2.PaymentIntent.STATE_UNSPECIFIED),
        customer=_id(payload, "customer"),
        payment_method=_id(payload, "payment_method"),
        latest_charge=_id(payload, "latest_charge"),
        description=_text(payload, "description"),
        client_secret=_text(payload, "client_secret"),
        last_error_code=_text(error, "code"),
        last_decline_code=_text(error, "decline_code"),
        metadata=_metadata(payload),
        create_time=_time(payload, "created"),
        cancel_time=_time(payload, "canceled_at"),
    )


def refund(payload: Payload) -> refund_pb2.Refund:
    """Stripe's Refund."""
    return refund_pb2.Refund(
        id=payload["id"],
        amount=_money(payload, "amount"),
        state=REFUND_STATES.get(_text(payload, "status"), refund_pb2.Refund.STATE_UNSPECIFIED),
        charge=_id(payload, "charge"),
        payment_intent=_id(payload, "payment_intent"),
        reason=REFUND_REASONS.get(_text(payload, "reason"), refund_pb2.Refund.REASON_UNSPECIFIED),
        failure_reason=_text(payload, "failure_reason"),
        metadata=_metadata(payload),
        create_time=_time(payload, "created"),
    )


def name_of(value: int, names: Mapping[str, int]) -> str | None:
    """Stripe's word for one of our enum values: None when unspecified, the number as text when unknown."""
    if value == 0:
        return None
    return next((name for name, number in names.items() if number == value), str(value))


def _recurring(value: Payload | None) -> price_pb2.Recurring | None:
    if not value:
        return None
    return price_pb2.Recurring(
        interval=INTERVALS.get(_text(value, "interval"), price_pb2.Recurring.INTERVAL_UNSPECIFIED),
        interval_count=value.get("interval_count") or 1,
    )


def _card(value: Payload | None) -> payment_method_pb2.Card | None:
    if not value:
        return None
    return payment_method_pb2.Card(
        brand=_text(value, "brand"),
        last4=_text(value, "last4"),
        exp_month=value.get("exp_month") or 0,
        exp_year=value.get("exp_year") or 0,
        country=_text(value, "country"),
        funding=_text(value, "funding"),
    )


def _money(payload: Payload, name: str) -> common_pb2.Money:
    return common_pb2.Money(amount_minor=payload.get(name) or 0, currency=_text(payload, "currency"))


def _text(payload: Payload, name: str) -> str:
    value = payload.get(name)
    return value if isinstance(value, str) else ""


def _id(payload: Payload, name: str) -> str:
    value = payload.get(name)
    return _text(value, "id") if isinstance(value, Mapping) else _text(payload, name)


def _metadata(payload: Payload) -> dict[str, str]:
    return payload.get("metadata") or {}


def _time(payload: Payload, name: str) -> Timestamp | None:
    value = payload.get(name)
    return Timestamp(seconds=value) if value else None

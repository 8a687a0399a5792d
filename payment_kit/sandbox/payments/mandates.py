"""Mandates: a customer's permission to debit a bank account, made when one is first set up or charged."""

from typing import Any

from payment_kit.sandbox import ids
from payment_kit.sandbox.call import Call
from payment_kit.sandbox.endpoint import EXPAND, Endpoint, get
from payment_kit.sandbox.errors import ApiError
from payment_kit.sandbox.form import fields, integer, one_of, string
from payment_kit.sandbox.store import Row

OFFLINE = {"customer_acceptance": {"type": "offline"}}


def ensure(call: Call, method: Row, data: dict[str, Any] | None, what: str) -> str:
    """The id of the mandate under which `method` may be debited, a new one for `mandate_data`; raises 400 without.

    `what` is the kind of intent that asks.
    """
    if data is None:
        held: str | None = method.get("_mandate")
        if held is None:
            raise ApiError(
                400,
                f"This {what} requires a mandate, but no existing mandate was found. Collect mandate acceptance from "
                "the customer and try again, providing acceptance data in the mandate_data parameter.",
                code="payment_intent_mandate_invalid" if what == "PaymentIntent" else "setup_intent_mandate_invalid",
            )
        return held
    given = data["customer_acceptance"]
    id_ = call.new_id("mandate")
    detail: Row = {"collection_method": "paper"} if given["type"] == "offline" else {}
    if method["type"] == "sepa_debit":
        reference = ids.text(16, "mandate", id_).upper()
        detail = {"reference": reference, "url": f"https://hooks.stripe.com/adapter/sepa_debit/file/{reference}"}
    row: Row = {
        "id": id_,
        "object": "mandate",
        "customer_acceptance": {
            "accepted_at": given.get("accepted_at") or call.now,
            given["type"]: given.get(given["type"]) or {},
            "type": given["type"],
        },
        "livemode": False,
        "multi_use": {},
        "payment_method": method["id"],
        "payment_method_details": {method["type"]: detail, "type": method["type"]},
        "status": "active",
        "type": "multi_use",
    }
    call.add(row)
    call.change(call.find("payment_method", method["id"]), _mandate=id_)
    return id_


MANDATE_DATA = fields(
    {
        "customer_acceptance": fields(
            {
                "accepted_at": integer,
                "offline": fields({}),
                "online": fields({"ip_address": string, "user_agent": string}, ("ip_address", "user_agent")),
                "type": one_of("online", "offline"),
            },
            ("type",),
        )
    },
    ("customer_acceptance",),
)

ENDPOINTS = (Endpoint("GET", "mandates/*", get("mandate", "mandate"), EXPAND),)

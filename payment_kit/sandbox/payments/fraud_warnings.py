"""Early fraud warnings: the card's bank suspects a payment; refunding it or a dispute leaves nothing to act on."""

from payment_kit.sandbox.call import Call
from payment_kit.sandbox.endpoint import EXPAND, Endpoint, filters, get, listed
from payment_kit.sandbox.store import Row

_KIND = "radar.early_fraud_warning"


def warn(call: Call, charge: Row) -> Row:
    """The issuer's warning about a charge."""
    row: Row = {
        "id": call.new_id(_KIND),
        "object": _KIND,
        "actionable": True,
        "charge": charge["id"],
        "created": call.now,
        "fraud_type": "unauthorized_use_of_card",
        "livemode": False,
        "payment_intent": charge["payment_intent"],
    }
    return call.add(row, f"{_KIND}.created")


def _settled(call: Call, charge_id: str) -> None:
    for row in call.store.tables[_KIND].having("charge", charge_id):
        call.change(row, f"{_KIND}.updated", actionable=False)


def _refunded(call: Call, charge: Row) -> None:
    if charge["refunded"]:
        _settled(call, charge["id"])


ENDPOINTS = (
    Endpoint("GET", "radar/early_fraud_warnings", listed(_KIND), filters("charge", "payment_intent")),
    Endpoint("GET", "radar/early_fraud_warnings/*", get(_KIND, "early_fraud_warning"), EXPAND),
)
LISTENERS = {
    "charge.refunded": _refunded,
    "charge.dispute.created": lambda call, dispute: _settled(call, dispute["charge"]),
}

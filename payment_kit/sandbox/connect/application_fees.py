"""Application fees: what a platform keeps of a charge that was made on a connected account, and gives back of it.

By docs.stripe.com/connect/direct-charges#collect-fees. The fee is part of the charge's balance transaction there and a
transaction of its own here; what goes back on its own comes in there as an adjustment of the reporting category `fee`
(docs.stripe.com/reports/reporting-categories), what goes back with a refund lowers that refund's fee.
"""

from typing import Any

from payment_kit.sandbox import listing
from payment_kit.sandbox.balance import exchange, settlement
from payment_kit.sandbox.call import Call
from payment_kit.sandbox.endpoint import EXPAND, META, PAGE, Endpoint, filters, get, listed
from payment_kit.sandbox.errors import ApiError, invalid, no_such
from payment_kit.sandbox.form import amount
from payment_kit.sandbox.parts import merged
from payment_kit.sandbox.store import Row, Store

_DIRECT_ONLY = (
    "Can only apply an application_fee_amount when the PaymentIntent is attempting a direct payment (using an OAuth "
    "key or Stripe-Account header) or destination payment (using `transfer_data[destination]`)."
)


def check(store: Store, fee: int | None, total: int, currency: str) -> None:
    """Raises 400 for a fee that cannot be taken of a payment of `total` minor units in this account."""
    if fee is None:
        return
    if store.platform is None:
        raise ApiError(400, _DIRECT_ONLY, param="application_fee_amount")
    if fee < 1 or fee % settlement.step_of(currency):
        raise invalid("application_fee_amount", "Invalid positive integer", "parameter_invalid_integer")
    if fee > total:
        raise invalid("application_fee_amount", f"The fee ({fee}) is greater than the amount of the payment ({total}).")


def collect(call: Call, charge: Row, total: int, available_on: int | None = None) -> dict[str, Any]:
    """Take the fee of a charge of which `total` is captured; what changes of the charge.

    The platform's money waits as long as the charge's.
    """
    fee, platform = charge["application_fee_amount"], call.store.platform
    if fee is None or platform is None:
        return {}
    fee = min(fee, total)
    there = call.inside(platform)
    id_ = there.new_id("application_fee")
    pending = charge["_behaviour"] != "bypass_pending"
    money = settlement.record(
        there,
        "application_fee",
        fee,
        charge["currency"],
        id_,
        category="platform_earning",
        pending=pending,
        available_on=available_on,
    )
    row: Row = {
        "id": id_,
        "object": "application_fee",
        "account": call.store.meta["account"],
        "amount": fee,
        "amount_refunded": 0,
        "application": call.store.application,
        "balance_transaction": money["id"],
        "charge": charge["id"],
        "created": there.now,
        "currency": charge["currency"],
        "fee_source": {"charge": charge["id"], "type": "charge"},
        "livemode": False,
        "originating_transaction": None,
        "refunded": False,
        "refunds": listing.nested([], f"/v1/application_fees/{id_}/refunds"),
    }
    there.add(row, "application_fee.created")
    there.settle()
    return {"application_fee": id_, "application_fee_amount": fee}


def settled(charge: Row, total: int) -> int:
    """The fee of a charge in minor units of the currency it settles in, when `total` of it is captured."""
    fee = charge["application_fee_amount"]
    return 0 if fee is None else exchange.settled(min(fee, total), charge["currency"]).amount


def part(call: Call, charge: Row, refunded: int) -> int:
    """What a refund of `refunded` gives back of a charge's fee, by its share; all that is left with the last of it.

    Raises 400 for a charge without a fee.
    """
    fee = _of(call, charge)
    if fee is None:
        message = f"Charge {charge['id']} has no application fee to refund."
        raise invalid("refund_application_fee", message)
    captured: int = charge["amount_captured"]
    if refunded == captured - charge["amount_refunded"]:
        return left(call, charge)
    step = settlement.step_of(fee["currency"])
    share: int = (2 * fee["amount"] * refunded + captured * step) // (2 * captured * step) * step
    return min(share, left(call, charge))


def left(call: Call, charge: Row) -> int:
    """What is left of a charge's fee in minor units of its currency."""
    fee = _of(call, charge)
    return 0 if fee is None else int(fee["amount"] - fee["amount_refunded"])


def give_back(call: Call, charge: Row, amount: int) -> None:
    """The platform's part in giving back `amount` of a charge's fee; the account's is told by its refund."""
    fee, platform = _of(call, charge), call.store.platform
    if fee is not None and platform is not None and amount:
        there = call.inside(platform)
        _refund(there, fee, amount, {})
        there.settle()


def _of(call: Call, charge: Row) -> Row | None:
    platform, id_ = call.store.platform, charge["application_fee"]
    return platform.get("application_fee", id_) if platform is not None and id_ is not None else None


def _refund(call: Call, fee: Row, total: int, metadata: dict[str, str]) -> Row:
    id_ = call.new_id("fee_refund")
    money = settlement.record(
        call, "application_fee_refund", -total, fee["currency"], id_, category="platform_earning_refund"
    )
    row = call.add(
        {
            "id": id_,
            "object": "fee_refund",
            "amount": total,
            "balance_transaction": money["id"],
            "created": call.now,
            "currency": fee["currency"],
            "fee": fee["id"],
            "metadata": metadata,
        }
    )
    back = fee["amount_refunded"] + total
    call.change(
        fee,
        "application_fee.refunded",
        amount_refunded=back,
        refunded=back == fee["amount"],
        refunds=_nested(call.store, fee["id"]),
    )
    return row


def create_refund(call: Call) -> Row:
    """POST /v1/application_fees/{id}/refunds: all that is left, or a part; the account gets it at once."""
    fee, params = call.find("application_fee", call.path[0], "fee"), call.params
    most = fee["amount"] - fee["amount_refunded"]
    if most == 0:
        raise ApiError(400, f"Application fee {fee['id']} has already been refunded.")
    total = params.get("amount", most)
    if total < 1 or total % settlement.step_of(fee["currency"]):
        raise invalid("amount", "Invalid positive integer", "parameter_invalid_integer")
    if total > most:
        raise invalid("amount", f"Refund amount ({total}) is greater than unrefunded amount on fee ({most}).")
    row = _refund(call, fee, total, merged({}, params))
    there = call.inside(call.store.connected[fee["account"]])
    description = f"Refund of the application fee of {fee['charge']}"
    settlement.record(
        there, "adjustment", total, fee["currency"], fee["charge"], category="fee", description=description
    )
    there.settle()
    return row


def update_refund(call: Call) -> Row:
    """POST /v1/application_fees/{id}/refunds/{id}: metadata only."""
    row = _fee_refund(call)
    fresh = call.change(row, "application_fee.refund.updated", metadata=merged(row, call.params))
    if fresh is not row:
        call.change(call.find("application_fee", row["fee"]), refunds=_nested(call.store, row["fee"]))
    return fresh


def _fee_refund(call: Call) -> Row:
    """GET /v1/application_fees/{id}/refunds/{id}"""
    row = call.find("fee_refund", call.path[1])
    if row["fee"] != call.path[0]:
        raise no_such("fee_refund", call.path[1])
    return row


def _fee_refunds(call: Call) -> Row:
    """GET /v1/application_fees/{id}/refunds"""
    fee = call.find("application_fee", call.path[0], "fee")
    return listing.page(call, "fee_refund", fee["refunds"]["url"], fee=fee["id"])


def _nested(store: Store, fee: str) -> Row:
    return listing.nested(store.tables["fee_refund"].having("fee", fee)[::-1], f"/v1/application_fees/{fee}/refunds")


ENDPOINTS = (
    Endpoint("GET", "application_fees", listed("application_fee"), filters("charge")),
    Endpoint("GET", "application_fees/*", get("application_fee", "fee"), EXPAND),
    Endpoint("GET", "application_fees/*/refunds", _fee_refunds, PAGE),
    Endpoint("POST", "application_fees/*/refunds", create_refund, {**META, "amount": amount}),
    Endpoint("GET", "application_fees/*/refunds/*", _fee_refund, EXPAND),
    Endpoint("POST", "application_fees/*/refunds/*", update_refund, META),
)

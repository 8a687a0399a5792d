"""Transfers: money the platform moves from its balance to a connected account's, and their reversals.

On the other side a transfer is a payment (``py_…``) with a balance transaction of its own, so both books balance.
"""

from payment_kit.sandbox import listing
from payment_kit.sandbox.balance import exchange, settlement
from payment_kit.sandbox.call import Call
from payment_kit.sandbox.endpoint import DATED, EXPAND, META, PAGE, Endpoint, get
from payment_kit.sandbox.errors import ApiError, invalid, no_such
from payment_kit.sandbox.form import amount, currency, string
from payment_kit.sandbox.parts import merged
from payment_kit.sandbox.store import Row, Store


def create_transfer(call: Call) -> Row:
    """POST /v1/transfers: out of what is available, or of one charge before its money is."""
    params = call.params
    there = _destination(call, params["destination"])
    source = call.referenced("charge", "source_transaction")
    total, code = _amount(call, source), params["currency"]
    available_on = None
    if source is not None:
        money = call.find("balance_transaction", source["balance_transaction"])
        available_on = money["available_on"] if money["status"] == "pending" else None
    id_ = call.new_id("transfer")
    paid = _payment(there, id_, total, code, available_on)
    leaving = settlement.record(
        call, "transfer", -total, code, id_, description=params.get("description"), available_on=available_on
    )
    there.settle()
    row: Row = {
        "id": id_,
        "object": "transfer",
        "amount": total,
        "amount_reversed": 0,
        "balance_transaction": leaving["id"],
        "created": call.now,
        "currency": code,
        "description": params.get("description"),
        "destination": params["destination"],
        "destination_payment": paid["id"],
        "livemode": False,
        "metadata": merged({}, params),
        "reversals": listing.nested([], f"/v1/transfers/{id_}/reversals"),
        "reversed": False,
        "source_transaction": source and source["id"],
        "source_type": "card",
        "transfer_group": params.get("transfer_group") or (f"group_{source['payment_intent']}" if source else None),
    }
    return call.add(row, "transfer.created")


def reverse_transfer(call: Call) -> Row:
    """POST /v1/transfers/{id}/reversals: the money comes back, all of it or a part."""
    params, transfer = call.params, call.find("transfer", call.path[0])
    there = call.inside(call.store.connected[transfer["destination"]])
    payment = there.find("charge", transfer["destination_payment"])
    left = payment["amount"] - payment["amount_refunded"]
    total = params.get("amount", left)
    if total < 1 or total > left:
        message = f"Transfer amount ({total}) is greater than unreversed amount on transfer ({left})."
        raise invalid("amount", message if total else "Invalid positive integer")
    id_ = call.new_id("transfer_reversal")
    refunded = payment["amount_refunded"] + total
    settlement.record(
        there, "payment_refund", -total, transfer["currency"], payment["id"], category="refund", description=None
    )
    there.change(payment, amount_refunded=refunded, refunded=refunded == payment["amount"])
    there.settle()
    money = settlement.record(
        call, "transfer_refund", total, transfer["currency"], id_, category="transfer_reversal", description=None
    )
    row: Row = {
        "id": id_,
        "object": "transfer_reversal",
        "amount": total,
        "balance_transaction": money["id"],
        "created": call.now,
        "currency": transfer["currency"],
        "destination_payment_refund": None,
        "metadata": merged({}, params),
        "source_refund": None,
        "transfer": transfer["id"],
    }
    call.add(row)
    back = transfer["amount_reversed"] + total
    call.change(
        transfer,
        "transfer.reversed",
        amount_reversed=back,
        reversed=back == transfer["amount"],
        reversals=listing.nested(_reversals_of(call.store, transfer["id"]), transfer["reversals"]["url"]),
    )
    return row


def _update_transfer(call: Call) -> Row:
    """POST /v1/transfers/{id}"""
    row, params = call.find("transfer", call.path[0]), call.params
    given = {"description": params["description"]} if "description" in params else {}
    return call.change(row, "transfer.updated", **given, metadata=merged(row, params))


def _transfers(call: Call) -> Row:
    """GET /v1/transfers"""
    return listing.page(call, "transfer", "/v1/transfers")


def _reversals(call: Call) -> Row:
    """GET /v1/transfers/{id}/reversals"""
    transfer = call.find("transfer", call.path[0])
    return listing.page(call, "transfer_reversal", transfer["reversals"]["url"], transfer=transfer["id"])


def _reversal(call: Call) -> Row:
    """GET /v1/transfers/{id}/reversals/{id}"""
    row = call.find("transfer_reversal", call.path[1])
    if row["transfer"] != call.path[0]:
        raise no_such("transfer_reversal", call.path[1])
    return row


def _update_reversal(call: Call) -> Row:
    """POST /v1/transfers/{id}/reversals/{id}"""
    row = _reversal(call)
    return call.change(row, metadata=merged(row, call.params))


def _destination(call: Call, id_: str) -> Call:
    account = call.store.get("account", id_)
    if account is None or "deleted" in account:
        raise no_such("destination", id_, "destination", 400)
    if account["capabilities"].get("transfers") != "active":
        raise ApiError(
            400,
            "Your destination account needs to have at least one of the following capabilities enabled: transfers, "
            "crypto_transfers, legacy_payments",
            code="insufficient_capabilities_for_transfer",
        )
    return call.inside(call.store.connected[id_])


def _amount(call: Call, source: Row | None) -> int:
    params = call.params
    total, code = params.get("amount", source and source["amount"]), params["currency"]
    if total is None:
        raise ApiError(400, "Missing required param: amount.", code="parameter_missing", param="amount", stored=False)
    if total < 1 or total % settlement.step_of(code):
        raise invalid("amount", "Invalid positive integer", "parameter_invalid_integer")
    if code in exchange.DOLLARS:
        raise invalid("currency", f"The sandbox has no balance in {code} to transfer from.")
    if source is not None:
        moved = sum(row["amount"] for row in call.store.rows("transfer") if row["source_transaction"] == source["id"])
        if code != source["currency"]:
            raise invalid(
                "currency", "The currency of source_transaction's balance transaction must be the transfer's."
            )
        if not source["captured"] or source["balance_transaction"] is None:
            raise invalid("source_transaction", f"Charge {source['id']} has not been captured.")
        if total > source["amount_captured"] - moved:
            raise invalid("amount", "Transfers using this transaction as a source must not exceed the source amount.")
    elif total > call.store.balance(code)["available"]:
        raise ApiError(
            400,
            "You have insufficient available funds in your Stripe account. Try adding funds directly to your available "
            "balance by creating Charges using the 4000000000000077 test card. See: "
            "https://stripe.com/docs/testing#available-balance",
            code="balance_insufficient",
        )
    return int(total)


def _payment(there: Call, transfer: str, total: int, code: str, available_on: int | None) -> Row:
    """The transfer as the connected account sees it."""
    id_ = there.new_id("charge").replace("ch_3", "py_1")
    money = settlement.record(there, "payment", total, code, id_, category="charge", available_on=available_on)
    row: Row = {
        **dict.fromkeys(_UNSET),
        "id": id_,
        "object": "charge",
        "amount": total,
        "amount_captured": total,
        "amount_refunded": 0,
        "balance_transaction": money["id"],
        "billing_details": {"address": None, "email": None, "name": None, "phone": None, "tax_id": None},
        "captured": True,
        "created": there.now,
        "currency": code,
        "disputed": False,
        "fraud_details": {},
        "livemode": False,
        "metadata": {},
        "paid": True,
        "refunded": False,
        "source_transfer": transfer,
        "status": "succeeded",
        "_behaviour": "",
        "_due": None,
    }
    return there.add(row)


def _reversals_of(store: Store, transfer: str) -> list[Row]:
    return store.tables["transfer_reversal"].having("transfer", transfer)[::-1]


_UNSET = (
    "application", "application_fee", "application_fee_amount", "calculated_statement_descriptor", "customer",
    "description", "failure_balance_transaction", "failure_code", "failure_message", "on_behalf_of", "outcome",
    "payment_intent", "payment_method", "payment_method_details", "receipt_email", "receipt_number", "receipt_url",
    "review", "shipping", "statement_descriptor", "statement_descriptor_suffix", "transfer_data", "transfer_group",
)  # fmt: skip
_CREATE = {
    **META,
    "amount": amount,
    "currency": currency,
    "description": string,
    "destination": string,
    "source_transaction": string,
    "transfer_group": string,
}

ENDPOINTS = (
    Endpoint("GET", "transfers", _transfers, {**DATED, "destination": string, "transfer_group": string}),
    Endpoint("POST", "transfers", create_transfer, _CREATE, ("currency", "destination")),
    Endpoint("GET", "transfers/*", get("transfer"), EXPAND),
    Endpoint("POST", "transfers/*", _update_transfer, {**META, "description": string}),
    Endpoint("GET", "transfers/*/reversals", _reversals, PAGE),
    Endpoint("POST", "transfers/*/reversals", reverse_transfer, {**META, "amount": amount}),
    Endpoint("GET", "transfers/*/reversals/*", _reversal, EXPAND),
    Endpoint("POST", "transfers/*/reversals/*", _update_reversal, META),
)

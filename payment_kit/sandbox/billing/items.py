"""Invoice items: what a customer will be billed for on the next invoice, or is on a draft."""

from typing import Any

from payment_kit.sandbox.balance.settlement import step_of
from payment_kit.sandbox.billing import lines, totals
from payment_kit.sandbox.billing.lines import Line
from payment_kit.sandbox.call import Call, public
from payment_kit.sandbox.store import Row, Store


def add(
    call: Call,
    customer: Row,
    *,
    amount: int,
    currency: str,
    description: str | None,
    period: tuple[int, int],
    price: Row | None = None,
    quantity: int = 1,
    subscription: str | None = None,
    subscription_item: str | None = None,
    proration: bool = False,
    discountable: bool | None = None,
    discounts: tuple[Row, ...] | list[Row] = (),
    tax_rates: tuple[Row, ...] | list[Row] = (),
    metadata: dict[str, str] | None = None,
    invoice: str | None = None,
    credited: Row | None = None,
    unit_amount_decimal: str | None = None,
) -> Row:
    """An invoice item, pending unless it names its `invoice`; tells invoiceitem.created.

    `amount` is in minor units of `currency` and for the whole quantity, `period` in unix seconds; `price`, `discounts`
    and `tax_rates` are rows, the rest are ids. A proration is not discountable unless said otherwise. `credited` is
    Stripe's ``proration_details.credited_items``.
    """
    amount = totals.rounded(amount, step_of(currency))
    row: Row = {
        "id": call.new_id("invoiceitem"),
        "object": "invoiceitem",
        "amount": amount,
        "currency": currency,
        "customer": customer["id"],
        "customer_account": None,
        "date": call.now,
        "description": description,
        "discountable": not proration if discountable is None else discountable,
        "discounts": [discount["id"] for discount in discounts],
        "invoice": invoice,
        "livemode": False,
        "metadata": dict(metadata or {}),
        "net_amount": amount,
        "parent": _parent(subscription, subscription_item),
        "period": {"end": period[1], "start": period[0]},
        "pricing": lines.pricing(price, unit_amount_decimal or (str(amount) if price is None else None)),
        "proration": proration,
        "quantity": quantity,
        "quantity_decimal": str(quantity),
        "tax_rates": [public(rate) for rate in tax_rates],
        "test_clock": customer["test_clock"],
        "_pending": customer["id"] if invoice is None else None,
        "_pulled": False,
        "_waiting": invoice is None,
    }
    if proration:
        row["proration_details"] = {"credited_items": credited, "discount_amounts": []}
    return call.add(row, "invoiceitem.created")


def _parent(subscription: str | None, subscription_item: str | None) -> Row | None:
    if subscription is None:
        return None
    details = {"subscription": subscription}
    if subscription_item is not None:
        details["subscription_item"] = subscription_item
    return {"subscription_details": details, "type": "subscription_details"}


def pending(store: Store, customer: str, currency: str, subscription: Row | None) -> list[Row]:
    """The items that join a new invoice, newest first: with a subscription also its own, without one the rest."""
    wanted = {None, subscription["id"]} if subscription else {None}
    waiting = store.tables["invoiceitem"].having("_pending", customer)
    return [item for item in reversed(waiting) if item["currency"] == currency and subscription_of(item) in wanted]


def subscription_of(item: Row) -> str | None:
    """The subscription an item belongs to."""
    parent: dict[str, Any] | None = item["parent"]
    return parent["subscription_details"]["subscription"] if parent else None


def join(call: Call, item: Row, invoice: str | None) -> Row:
    """Put an item on an invoice, or with None back among the pending ones; Stripe tells nobody."""
    return call.change(
        item,
        invoice=invoice,
        _pending=None if invoice else item["customer"],
        _pulled=invoice is not None,
        _waiting=invoice is None,
    )


def remove(call: Call, item: Row) -> Row:
    """Delete an item; tells invoiceitem.deleted."""
    call.emit("invoiceitem.deleted", item)
    return call.add({"id": item["id"], "object": "invoiceitem", "deleted": True})


def of_line(call: Call, customer: Row, line: Line, invoice: str | None = None) -> Row:
    """The item that is to be billed as `line`, on an invoice or pending."""
    return add(
        call,
        customer,
        amount=line.amount,
        currency=line.currency,
        description=line.description,
        period=line.period,
        price=line.price,
        quantity=line.quantity,
        subscription=line.subscription,
        subscription_item=line.subscription_item,
        proration=line.proration,
        discountable=line.discountable,
        discounts=list(line.discounts),
        tax_rates=list(line.tax_rates),
        metadata=dict(line.metadata),
        invoice=invoice,
        credited=line.credited,
        unit_amount_decimal=line.unit_amount_decimal,
    )


def line(store: Store, item: Row) -> Line:
    """The line that bills an item."""
    details = item["parent"]["subscription_details"] if item["parent"] else {}
    priced = item["pricing"]
    return Line(
        amount=item["amount"],
        currency=item["currency"],
        description=item["description"],
        period=(item["period"]["start"], item["period"]["end"]),
        quantity=item["quantity"],
        price=store.get("price", priced["price_details"]["price"]) if "price_details" in priced else None,
        subscription=details.get("subscription"),
        subscription_item=details.get("subscription_item"),
        proration=item["proration"],
        discountable=item["discountable"],
        discounts=[row for id_ in item["discounts"] if (row := store.get("discount", id_)) is not None],
        tax_rates=item["tax_rates"],
        metadata=item["metadata"],
        invoice_item=item["id"],
        credited=(item.get("proration_details") or {}).get("credited_items"),
        unit_amount_decimal=priced["unit_amount_decimal"],
    )

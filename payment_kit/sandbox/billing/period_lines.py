"""What a subscription's invoices bill: its items for a period, usage after one, and what was debited for each item."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from payment_kit.sandbox.billing import invoices, items, meters, proration, totals
from payment_kit.sandbox.billing.invoices import Line
from payment_kit.sandbox.billing.subscription_rows import cycle_of, discounts_of, flexible, metered, price_of
from payment_kit.sandbox.call import Call
from payment_kit.sandbox.form import INTEGER_MAX
from payment_kit.sandbox.products import discounts, pricing
from payment_kit.sandbox.store import Row, Store


def period_amount(store: Store, row: Row, item: Row) -> int:
    """What a licensed item costs for the period it is in, before discounts; a shorter first period costs its part."""
    period = item["current_period_start"], item["current_period_end"]
    full = pricing.amount(price_of(store, item), item["quantity"], row["currency"])
    whole = natural(row, item, period[0])
    return full if whole == period else proration.part(full, whole, period, row["currency"])


def natural(row: Row, item: Row, at: int) -> tuple[int, int]:
    """The whole period of the item's cycle around a unix second."""
    return cycle_of(row, item).around(at)


def of_period(store: Store, row: Row, held: Iterable[Row], *, free: bool = False, trial: bool = False) -> list[Line]:
    """Lines for the period each licensed item is in; `free` ones cost nothing, and neither does a `trial`."""
    lines = []
    for item in held:
        if metered(item) and flexible(row):
            continue
        quantity = item.get("quantity", 0)
        price = price_of(store, item)
        text = proration.described(store, price, quantity, row["currency"])
        if trial:
            text = f"Trial period for {proration.named(store, price)}"
        costs = not (free or trial or metered(item))
        period = item["current_period_start"], item["current_period_end"]
        lines.append(_line(store, row, item, period_amount(store, row, item) if costs else 0, quantity, text, period))
    return lines


def of_usage(call: Call, row: Row, item: Row, start: int, end: int) -> Line:
    """The line for what was used of a metered item between two unix seconds."""
    price, meter = price_of(call.store, item), item["price"]["recurring"]["meter"]
    used = meters.usage(call, meter, row["customer"], start, end) if meter else 0
    # usage is reported without a price in view; the clock cannot refuse what it comes to
    amount = min(pricing.amount(price, used, row["currency"]), INTEGER_MAX)
    text = proration.described(call.store, price, used, row["currency"])
    return _line(call.store, row, item, amount, used, text, (start, end))


def _line(store: Store, row: Row, item: Row, amount: int, quantity: int, text: str, period: tuple[int, int]) -> Line:
    price = price_of(store, item)
    return Line(
        amount=amount,
        currency=row["currency"],
        description=text,
        period=period,
        quantity=quantity,
        price=price,
        subscription=row["id"],
        subscription_item=item["id"],
        discounts=discounts.held(store, item["discounts"]),
        tax_rates=item["tax_rates"] or row["default_tax_rates"] or (),
        metadata=row["metadata"],
        unit_amount_decimal=pricing.in_currency(price, row["currency"])["unit_amount_decimal"],
    )


def net(store: Store, row: Row, customer: Row, amounts: Mapping[str, int]) -> dict[str, int]:
    """What discounts leave of the amounts (by item id), as an invoice of just these lines would compute it."""
    table = store.tables["subscription_item"].rows
    reduced = discounts_of(store, row, customer)
    if not reduced and not any(table[id_]["discounts"] for id_ in amounts):
        return dict(amounts)
    priced = []
    for id_, amount in amounts.items():
        product = price_of(store, table[id_])["product"]
        covered = [discount["id"] for discount in reduced if discounts.applies_to(discount, product)]
        priced.append(totals.Priced(amount, discounts.held(store, table[id_]["discounts"]), (), covered))
    _, lines = totals.invoice(priced, row["currency"], discounts.off, discounts=reduced)
    return {id_: line.net for id_, line in zip(amounts, lines, strict=True)}


def debit(call: Call, row: Row, customer: Row, lines: Sequence[Line]) -> None:
    """Remember on the items what lines of their current period debit."""
    table = call.store.tables["subscription_item"].rows
    licensed = {
        line.subscription_item: line
        for line in lines
        if line.subscription_item and line.subscription_item in table and not metered(table[line.subscription_item])
    }
    nets = net(call.store, row, customer, {id_: line.amount for id_, line in licensed.items() if id_})
    for id_, line in licensed.items():
        if id_:
            debits = [[nets[id_], *line.period]] if nets[id_] else []
            call.change(table[id_], _debits=debits)


def draft(call: Call, row: Row, customer: Row, lines: Sequence[Line], reason: str, **fields: Any) -> Row:
    """The subscription's draft of `lines` and of what is pending."""
    return invoices.draft(call, customer, **_terms(call.store, row, customer, lines, reason), **fields)


def preview(call: Call, row: Row, customer: Row, lines: Sequence[Line], reason: str, **fields: Any) -> Row:
    """What `draft` would make."""
    return invoices.preview(call, customer, **_terms(call.store, row, customer, lines, reason), **fields)


def _terms(store: Store, row: Row, customer: Row, lines: Sequence[Line], reason: str) -> dict[str, Any]:
    return {
        "billing_reason": reason,
        "currency": row["currency"],
        "lines": lines,
        "subscription": row,
        "collection_method": row["collection_method"],
        "days_until_due": row["days_until_due"],
        "default_payment_method": row["default_payment_method"],
        "description": row["description"],
        "discounts": discounts_of(store, row, customer),
        "default_tax_rates": row["default_tax_rates"] or (),
    }


def waiting(store: Store, row: Row) -> list[Row]:
    """The pending items that would join the subscription's next invoice."""
    return items.pending(store, row["customer"], row["currency"], row)

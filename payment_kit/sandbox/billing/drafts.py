"""Draft invoices: put together from lines and pending items, computed again with every change, or only previewed."""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from payment_kit.sandbox import ids
from payment_kit.sandbox.billing import items, totals
from payment_kit.sandbox.billing import lines as line_items
from payment_kit.sandbox.billing.lines import Line
from payment_kit.sandbox.call import Call, difference, public
from payment_kit.sandbox.customers import balance, tax_ids
from payment_kit.sandbox.errors import ApiError, wrong_state
from payment_kit.sandbox.payments.intents import AMOUNT_MIN
from payment_kit.sandbox.products import discounts as reductions
from payment_kit.sandbox.store import Row, Store

LINES_MAX = 250  # "up to 250 items per invoice"
FINALIZES_AFTER_SECONDS = 3600  # docs.stripe.com/invoicing/integration/automatic-advancement-collection
_BY_CUSTOMER = ("address", "email", "name", "phone", "shipping", "tax_exempt")
# what a draft does not know yet
_SINCE_FINAL = (
    "automatically_finalizes_at",
    "due_date",
    "effective_at",
    "ending_balance",
    "hosted_invoice_url",
    "invoice_pdf",
    "number",
)
_NONE: Mapping[str, Row] = MappingProxyType({})


def draft(
    call: Call,
    customer: Row,
    *,
    billing_reason: str,
    currency: str,
    lines: Iterable[Line] = (),
    subscription: Row | None = None,
    pending_items: bool = True,
    auto_advance: bool = True,
    id_: str | None = None,
    **fields: Any,
) -> Row:
    """A stored draft of `lines` and, with `pending_items`, the customer's pending items; tells invoice.created.

    `fields` are those of `_row`, `id_` a new id if it is known already. With `auto_advance` the clock finalizes the
    draft an hour from now and collects it. Raises 400 above 250 lines.
    """
    id_ = id_ or call.new_id("invoice")
    invoice = _row(call, id_, customer, billing_reason, currency, subscription, **fields)
    invoice["auto_advance"] = auto_advance
    invoice |= timetable(invoice, call.now)
    lines = list(lines)
    waiting = _joining(call.store, customer, currency, subscription, len(lines)) if pending_items else []
    asked = [items.line(call.store, item) for item in waiting]
    asked += [
        line if line.subscription_item else items.line(call.store, items.of_line(call, customer, line, id_))
        for line in lines
    ]
    rows = [line_items.row(call.new_id("line_item"), line, id_) for line in asked]
    invoice, rows = assembled(call.store, invoice, rows, customer)
    for row in rows:
        call.add(row)
    for item in waiting:
        items.join(call, item, id_)
    invoice = call.add(invoice, "invoice.created")
    if customer["currency"] is None:
        call.change(call.find("customer", customer["id"]), "customer.updated", currency=currency)
    return invoice


def preview(
    call: Call,
    customer: Row,
    *,
    billing_reason: str = "upcoming",
    currency: str,
    lines: Iterable[Line] = (),
    subscription: Row | None = None,
    pending_items: bool = True,
    discounts: Sequence[Row] = (),
    **fields: Any,
) -> Row:
    """What `draft` would make of the same, with an ``upcoming_in_`` id; nothing is stored and nobody is told."""
    id_ = call.new_id("invoice")
    invoice = _row(call, id_, customer, billing_reason, currency, subscription, discounts=discounts, **fields)
    lines = list(lines)
    waiting = _joining(call.store, customer, currency, subscription, len(lines)) if pending_items else []
    asked = [items.line(call.store, item) for item in waiting]
    asked += [
        line if line.subscription_item else line._replace(invoice_item=line.invoice_item or call.new_id("invoiceitem"))
        for line in lines
    ]
    known = {discount["id"]: discount for discount in (*discounts, *(one for line in asked for one in line.discounts))}
    rows = [line_items.row(call.new_id("line_item"), line, id_) for line in asked]
    invoice, rows = assembled(call.store, invoice, rows, customer, known)
    return as_preview(call, invoice, rows)


def _joining(store: Store, customer: Row, currency: str, subscription: Row | None, lines: int) -> list[Row]:
    """The pending items that join a new invoice, newest first: the oldest, as many as it holds beside its lines."""
    waiting = items.pending(store, customer["id"], currency, subscription)
    return waiting[max(0, len(waiting) + lines - LINES_MAX) :]


def as_preview(call: Call, invoice: Row, rows: Sequence[Row]) -> Row:
    """An invoice as a preview shows it: a draft with all its lines, which have no list of their own to fetch."""
    id_ = "upcoming_in_" + ids.text(24, call.source, invoice["id"])
    listed = [{**public(row), "id": row["id"].replace("il_", "il_tmp_"), "invoice": id_} for row in rows]
    changes = dict.fromkeys(_SINCE_FINAL) | {
        "id": id_,
        "amount_paid": 0,
        "amount_remaining": invoice["amount_due"],
        "attempt_count": 0,
        "attempted": False,
        "auto_advance": True,
        "billing_reason": "upcoming",
        "lines": {"object": "list", "data": listed, "has_more": False, "url": f"/v1/invoices/{id_}/lines"},
        "next_payment_attempt": call.now + FINALIZES_AFTER_SECONDS,
        "status": "draft",
        "status_transitions": dict.fromkeys(invoice["status_transitions"]),
    }
    return {**invoice, **changes}


def refresh(call: Call, invoice: Row, rows: Sequence[Row] | None = None, **changes: Any) -> Row:
    """A draft after `changes` and with its lines as they are now (or as `rows`), computed anew; silent."""
    customer = call.find("customer", invoice["customer"], "customer", 400)
    rows = line_items.of_invoice(call.store, invoice) if rows is None else rows
    wanted, computed = assembled(call.store, {**invoice, **changes}, rows, customer)
    for row in computed:
        before = call.store.get("line_item", row["id"])
        if before is None:
            call.add(row)
        elif before != row:
            call.change(before, **{name: value for name, value in row.items() if before.get(name) != value})
    return call.change(invoice, **wanted)


def editable(invoice: Row) -> None:
    """Raises 400 for an invoice that is no draft any more."""
    if invoice["status"] != "draft":
        raise wrong_state("This invoice is no longer editable", "invoice_not_editable")


def extend(call: Call, invoice: Row, new: Iterable[Line], **changes: Any) -> Row:
    """A draft with more lines, after those it has; tells invoice.updated."""
    added = [line_items.row(call.new_id("line_item"), line, invoice["id"]) for line in new]
    return keep(call, invoice, [*line_items.of_invoice(call.store, invoice), *added], **changes)


def replace(call: Call, invoice: Row, fresh: Mapping[str, Row], **changes: Any) -> Row:
    """A draft with other lines by the ids of those they replace; tells invoice.updated."""
    rows = [fresh.get(row["id"], row) for row in line_items.of_invoice(call.store, invoice)]
    return keep(call, invoice, rows, **changes)


def keep(call: Call, invoice: Row, rows: Sequence[Row], **changes: Any) -> Row:
    """A draft with these lines and changes, computed anew; tells invoice.updated."""
    after = refresh(call, invoice, rows, **changes)
    tell(call, invoice, after)
    return after


def tell(call: Call, before: Row, after: Row) -> None:
    """Tell invoice.updated with what differs, as one change however many steps it took; nothing when nothing does."""
    previous = {
        name: difference(before.get(name), value)
        for name, value in after.items()
        if name[0] != "_" and before.get(name) != value
    }
    if previous:
        call.emit("invoice.updated", after, previous)


def assembled(
    store: Store, invoice: Row, rows: Sequence[Row], customer: Row, known: Mapping[str, Row] = _NONE
) -> tuple[Row, list[Row]]:
    """The invoice and its line items with every amount computed; `known` are discounts that are not stored."""
    if len(rows) > LINES_MAX:
        raise ApiError(400, f"An invoice can have at most {LINES_MAX} line items.", code="invoice_too_many_lines")
    reduced = [row for id_ in invoice["discounts"] for row in _held(store, id_, known)]
    priced = [_priced(store, row, reduced, known) for row in rows]
    amounts, each = totals.invoice(
        priced,
        invoice["currency"],
        reductions.off,
        discounts=reduced,
        tax_rates=invoice["default_tax_rates"],
        tax_exempt=invoice["customer_tax_exempt"],
    )
    computed = [
        {**row, "discount_amounts": line.discount_amounts, "taxes": line.taxes}
        for row, line in zip(rows, each, strict=True)
    ]
    starting = balance.in_currency(customer, invoice["currency"])
    owed, _ = due(amounts["total"], starting, invoice["currency"])
    amounts |= {"starting_balance": starting, "amount_due": owed, "amount_remaining": owed}
    listed = line_items.nested(invoice["id"], computed)
    return {**invoice, **amounts, "lines": listed, "_lines": [row["id"] for row in computed]}, computed


def _held(store: Store, id_: str, known: Mapping[str, Row]) -> list[Row]:
    return [known[id_]] if id_ in known else reductions.held(store, [id_])


def _priced(store: Store, row: Row, reduced: Sequence[Row], known: Mapping[str, Row]) -> totals.Priced:
    rates = [rate for id_ in row["_tax_rates"] if (rate := store.get("tax_rate", id_)) is not None]
    if not row["discountable"]:
        return totals.Priced(row["amount"], (), rates)
    own = [discount for id_ in row["discounts"] for discount in _held(store, id_, known)]
    product = line_items.product_of(row)
    covered = [discount["id"] for discount in reduced if reductions.applies_to(discount, product)]
    return totals.Priced(row["amount"], own, rates, covered)


def due(total: int, held: int, currency: str) -> tuple[int, int]:
    """What an invoice asks for and the customer's balance after it, `held` before it.

    The balance is used up first; what is less than the least chargeable amount is carried on it
    (docs.stripe.com/invoicing/customer/balance).
    """
    owed = total + held
    return (owed, 0) if owed >= max(1, AMOUNT_MIN.get(currency, 1)) else (0, owed)


def timetable(invoice: Row, now: int) -> Row:
    """When the clock finalizes a draft, if it does."""
    at = invoice["automatically_finalizes_at"] or (now + FINALIZES_AFTER_SECONDS if invoice["auto_advance"] else None)
    charged = invoice["collection_method"] == "charge_automatically" and invoice["auto_advance"]
    return {"automatically_finalizes_at": at, "next_payment_attempt": at if charged else None, "_due": at}


def by_customer(store: Store, customer: Row) -> Row:
    """The fields an invoice copies from its customer until it is finalized."""
    known = [{"type": row["type"], "value": row["value"]} for row in tax_ids.of(store, customer["id"])]
    return {f"customer_{name}": customer[name] for name in _BY_CUSTOMER} | {"customer_tax_ids": known}


def _row(
    call: Call,
    id_: str,
    customer: Row,
    billing_reason: str,
    currency: str,
    subscription: Row | None,
    *,
    collection_method: str = "charge_automatically",
    days_until_due: int | None = None,
    default_payment_method: str | None = None,
    description: str | None = None,
    metadata: Mapping[str, str] | None = None,
    discounts: Sequence[Row] = (),
    default_tax_rates: Sequence[Row] = (),
    period: tuple[int, int] | None = None,
    **fields: Any,
) -> Row:
    """A draft without amounts.

    `discounts` and `default_tax_rates` are rows. `period` is when items could join the invoice, in unix seconds, both
    now by default. `fields` are any further fields of the invoice by their names in the API.
    """
    start, end = period or (call.now, call.now)
    return {
        "id": id_,
        "object": "invoice",
        "account_country": "US",
        "account_name": "Sandbox",
        "account_tax_ids": None,
        "amount_overpaid": 0,
        "amount_paid": 0,
        "amount_paid_off_stripe": 0,
        "amount_shipping": 0,
        "application": call.store.application,
        "attempt_count": 0,
        "attempted": False,
        "automatic_tax": {
            "disabled_reason": None, "enabled": False, "liability": None, "provider": None, "status": None
        },
        "automatically_finalizes_at": None,
        "billing_reason": billing_reason,
        "collection_method": collection_method,
        "created": call.now,
        "currency": currency,
        "custom_fields": customer["invoice_settings"]["custom_fields"],
        "customer": customer["id"],
        "customer_account": None,
        "default_payment_method": default_payment_method,
        "default_source": None,
        "default_tax_rates": [public(rate) for rate in default_tax_rates],
        "description": description,
        "discounts": [discount["id"] for discount in discounts],
        "due_date": None,
        "effective_at": None,
        "ending_balance": None,
        "footer": customer["invoice_settings"]["footer"],
        "from_invoice": None,
        "hosted_invoice_url": None,
        "invoice_pdf": None,
        "issuer": {"type": "self"},
        "last_finalization_error": None,
        "latest_revision": None,
        "livemode": False,
        "metadata": dict(metadata or {}),
        "number": None,
        "on_behalf_of": None,
        "parent": _parent(subscription),
        "payment_settings": dict.fromkeys(("default_mandate", "payment_method_options", "payment_method_types")),
        "period_end": end,
        "period_start": start,
        "post_payment_credit_notes_amount": 0,
        "pre_payment_credit_notes_amount": 0,
        "receipt_number": None,
        "rendering": None,
        "shipping_cost": None,
        "shipping_details": None,
        "statement_descriptor": None,
        "status": "draft",
        "status_transitions": dict.fromkeys(("finalized_at", "marked_uncollectible_at", "paid_at", "voided_at")),
        "test_clock": customer["test_clock"],
        "total_pretax_credit_amounts": [],
        "webhooks_delivered_at": None,
        "_days_until_due": days_until_due,
        "_subscription": subscription and subscription["id"],
        **by_customer(call.store, customer),
        **fields,
    }  # fmt: skip


def _parent(subscription: Row | None) -> Row | None:
    if subscription is None:
        return None
    details = {"metadata": subscription.get("metadata") or {}, "subscription": subscription["id"]}
    return {"quote_details": None, "subscription_details": details, "type": "subscription_details"}

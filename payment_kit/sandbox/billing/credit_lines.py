"""The lines of a credit note: parts of an invoice's lines, or amounts of its own, with their discounts and taxes."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from payment_kit.sandbox import ids
from payment_kit.sandbox.balance.settlement import step_of
from payment_kit.sandbox.billing import lines, pricing, totals
from payment_kit.sandbox.call import Call, public
from payment_kit.sandbox.errors import ApiError, invalid, missing
from payment_kit.sandbox.form import Kind, array, decimal, fields, integer, metadata, one_of, string
from payment_kit.sandbox.store import Row, Store

LINES: Kind = array(
    fields(
        {
            "amount": integer,
            "description": string,
            "invoice_line_item": string,
            "metadata": metadata,
            "quantity": integer,
            "tax_rates": array(string),
            "type": one_of("custom_line_item", "invoice_line_item"),
            "unit_amount": integer,
            "unit_amount_decimal": decimal,
        },
        ("type",),
    )
)


def whole(note: str, invoice: Row, amount: int) -> list[Row]:
    """The one line of a credit note that is for an amount, taxes included."""
    return [_row(note, 0, f"Credit for invoice {invoice['number']}", amount, quantity=1, unit=str(amount))]


def asked(call: Call, note: str, invoice: Row, wanted: Sequence[dict[str, Any]]) -> list[Row]:
    """The lines the parameter ``lines`` asks for; raises 400 for more than is left of an invoice's line."""
    made: list[Row] = []
    for at, one in enumerate(wanted):
        inside = f"lines[{at}]"
        if one["type"] == "custom_line_item":
            made.append(_custom(call, note, invoice, one, at, inside))
        else:
            made.append(_part(call, note, invoice, one, at, inside, made))
    return made


def _custom(call: Call, note: str, invoice: Row, one: dict[str, Any], at: int, inside: str) -> Row:
    units = [name for name in ("unit_amount", "unit_amount_decimal") if one.get(name) is not None]
    if len(units) != 1:
        raise missing(f"{inside}[unit_amount]") if not units else invalid(f"{inside}[{units[1]}]", "Name one of them.")
    quantity, unit = one.get("quantity", 1), str(one[units[0]])
    amount = totals.rounded(Fraction(unit) * quantity, step_of(invoice["currency"]))
    if amount <= 0:
        raise invalid(f"{inside}[{units[0]}]", "Invalid positive integer", "parameter_invalid_integer")
    rates = pricing.tax_rates(call, one.get("tax_rates"), f"{inside}[tax_rates]")
    row = _row(note, at, one.get("description"), amount, quantity=quantity, unit=unit)
    taxes = totals.taxes(amount, rates, invoice["currency"], invoice["customer_tax_exempt"])
    meta = dict(one.get("metadata") or {})
    return {**row, "metadata": meta, "tax_rates": [public(rate) for rate in rates], "taxes": taxes}


def _part(call: Call, note: str, invoice: Row, one: dict[str, Any], at: int, inside: str, made: Sequence[Row]) -> Row:
    """A part of a line, with its share of the line's discounts and taxes; all parts together are the line."""
    id_, param = one.get("invoice_line_item"), f"{inside}[invoice_line_item]"
    line = next((row for row in lines.of_invoice(call.store, invoice) if row["id"] == id_), None)
    if line is None:
        raise invalid(param, f"No such invoice line item on this invoice: '{id_}'", "resource_missing")
    before = [*of_line(call.store, invoice, line["id"]), *(row for row in made if row.get("invoice_line_item") == id_)]
    done = sum(row["amount"] for row in before)
    amount = _wanted(one, line, invoice["currency"])
    if not 0 < amount <= line["amount"] - done:
        message = f"The amount of a credit note line has to be positive and at most {line['amount'] - done}."
        raise ApiError(400, message, param=f"{inside}[amount]")
    last = done + amount == line["amount"]
    cut = _Cut(amount, line["amount"], step_of(invoice["currency"]), last)
    row = _row(note, at, line["description"], amount, quantity=one.get("quantity"), unit=None)
    discounts = [
        {**part, "amount": cut.of(part["amount"], [p for b in before for p in b["discount_amounts"]], part, "discount")}
        for part in line["discount_amounts"]
    ]
    taxes = [
        {
            **part,
            "amount": cut.of(part["amount"], [p for b in before for p in b["taxes"]], part, "tax_rate_details"),
            "taxable_amount": totals.rounded(Fraction(part["taxable_amount"] * amount, line["amount"])),
        }
        for part in line["taxes"]
    ]
    return {
        **row,
        "discount_amount": sum(part["amount"] for part in discounts),
        "discount_amounts": discounts,
        "invoice_line_item": line["id"],
        "metadata": dict(one.get("metadata") or {}),
        "taxes": taxes,
        "type": "invoice_line_item",
    }


class _Cut:
    """How a part of a line is cut from the line's discounts and taxes: in proportion, the last part takes the rest."""

    def __init__(self, amount: int, of: int, step: int, last: bool) -> None:
        self.amount, self.whole, self.step, self.last = amount, of, step, last

    def of(self, amount: int, before: Sequence[Row], part: Row, same: str) -> int:
        """The share of `amount`, never more than those parts of `before` that are of the same kind have left."""
        left = int(amount - sum(row["amount"] for row in before if row[same] == part[same]))
        share = totals.rounded(Fraction(amount * self.amount, self.whole), self.step)
        return left if self.last else min(share, left)


def of_line(store: Store, invoice: Row, line: str) -> list[Row]:
    """The lines of issued credit notes that already took a part of an invoice's line."""
    return [
        row
        for note in store.tables["credit_note"].having("invoice", invoice["id"])
        if note["status"] == "issued"
        for row in note["_lines"]
        if row.get("invoice_line_item") == line
    ]


def _wanted(one: dict[str, Any], line: Row, currency: str) -> int:
    if one.get("amount") is not None:
        return int(one["amount"])
    if one.get("quantity") is not None and line["quantity"]:
        return totals.rounded(Fraction(line["amount"] * one["quantity"], line["quantity"]), step_of(currency))
    return int(line["amount"])


def _row(note: str, at: int, description: str | None, amount: int, *, quantity: int | None, unit: str | None) -> Row:
    return {
        "id": "cnli_1" + ids.text(23, "credit note line", note, at),
        "object": "credit_note_line_item",
        "amount": amount,
        "description": description,
        "discount_amount": 0,
        "discount_amounts": [],
        "livemode": False,
        "metadata": {},
        "pretax_credit_amounts": [],
        "quantity": quantity,
        "tax_rates": [],
        "taxes": [],
        "type": "custom_line_item",
        "unit_amount": int(unit) if unit is not None and "." not in unit else None,
        "unit_amount_decimal": unit,
    }

"""Whether the amounts of an invoice agree with each other, with its lines, its payments and its credit notes."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from payment_kit.sandbox.store import Store

Row = dict[str, Any]


def disagreements(store: Store) -> list[str]:
    """What does not agree in any invoice of a sandbox."""
    return [f"{row['id']}: {what}" for row in store.rows("invoice") if "deleted" not in row for what in of(store, row)]


def of(store: Store, invoice: Row) -> list[str]:
    """What does not agree in one stored invoice."""
    lines = [store.tables["line_item"].rows[id_] for id_ in invoice["_lines"]]
    found = sums(invoice, lines)
    if invoice["status"] == "draft":
        return found
    notes = [row for row in store.tables["credit_note"].having("invoice", invoice["id"]) if row["status"] == "issued"]
    pre, post = invoice["pre_payment_credit_notes_amount"], invoice["post_payment_credit_notes_amount"]
    payments = [
        row for row in store.tables["invoice_payment"].having("invoice", invoice["id"]) if row["status"] == "paid"
    ]
    checks = {
        "amount_due": invoice["total"] + invoice["starting_balance"] - invoice["ending_balance"] - pre,
        "amount_remaining": max(0, invoice["amount_due"] - invoice["amount_paid"]),
        "amount_paid": sum(row["amount_paid"] for row in payments) + invoice["amount_paid_off_stripe"],
        "amount_overpaid": max(0, invoice["amount_paid"] - invoice["amount_due"]),
        "pre_payment_credit_notes_amount": sum(note["pre_payment_amount"] for note in notes),
        "post_payment_credit_notes_amount": sum(note["post_payment_amount"] for note in notes),
    }
    found += [f"{name} is {invoice[name]}, not {want}" for name, want in checks.items() if invoice[name] != want]
    if pre + post > max(0, invoice["total"]):
        found.append("credit notes exceed the total")
    if invoice["status"] == "paid" and invoice["amount_remaining"]:
        found.append("paid, and yet something remains")
    return found + [f"{note['id']}: {what}" for note in notes for what in noted(note)]


def sums(invoice: Row, lines: Iterable[Row]) -> list[str]:
    """What does not agree between an invoice and its lines; also for previews."""
    lines = list(lines)
    taken = _by(part for line in lines for part in line["discount_amounts"])
    own = sum(amount for id_, amount in taken.items() if id_ not in invoice["discounts"])
    taxes = [tax for line in lines for tax in line["taxes"]]
    exclusive = sum(tax["amount"] for tax in taxes if tax["tax_behavior"] == "exclusive")
    gross = sum(line["amount"] for line in lines)
    checks = {
        "subtotal": gross - own,
        "total": gross - sum(taken.values()) + exclusive,
        "total_excluding_tax": invoice["total"] - sum(tax["amount"] for tax in taxes),
    }
    found = [f"{name} is {invoice[name]}, not {want}" for name, want in checks.items() if invoice[name] != want]
    if _by(invoice["total_discount_amounts"]) != taken:
        found.append("discounts differ from those of the lines")
    if _rates(invoice["total_taxes"]) != _rates(taxes):
        found.append("taxes differ from those of the lines")
    return found


def noted(note: Row) -> list[str]:
    """What does not agree in a credit note."""
    lines = note["_lines"]
    exclusive = sum(t["amount"] for row in lines for t in row["taxes"] if t["tax_behavior"] == "exclusive")
    total = sum(row["amount"] - row["discount_amount"] for row in lines) + exclusive
    found = [] if note["total"] == note["amount"] == total else [f"total is {note['total']}, not {total}"]
    if note["pre_payment_amount"] + note["post_payment_amount"] != total:
        found.append("its two parts are not the total")
    return found


def _by(parts: Iterable[Row]) -> Counter[str]:
    result: Counter[str] = Counter()
    for part in parts:
        result[part["discount"]] += part["amount"]
    return +result


def _rates(parts: Iterable[Row]) -> dict[tuple[str, str], tuple[int, int]]:
    result: dict[tuple[str, str], tuple[int, int]] = {}
    for part in parts:
        key = part["tax_rate_details"]["tax_rate"], part["tax_behavior"]
        amount, base = result.get(key, (0, 0))
        result[key] = amount + part["amount"], base + part["taxable_amount"]
    return result

"""The lines of an invoice over the API: listed whole, and edited while it is a draft."""

from typing import Any

from payment_kit.sandbox.billing import drafts, invoice_items, items, lines, pricing
from payment_kit.sandbox.billing.lines import Line
from payment_kit.sandbox.call import Call
from payment_kit.sandbox.endpoint import EXPAND, META, PAGE, Endpoint
from payment_kit.sandbox.errors import invalid, missing, no_such
from payment_kit.sandbox.form import Kind, array, fields, metadata, one_of, string
from payment_kit.sandbox.parts import merged
from payment_kit.sandbox.products import discounts
from payment_kit.sandbox.store import Row


def _lines(call: Call) -> Row:
    """GET /v1/invoices/{id}/lines"""
    invoice = call.find("invoice", call.path[0], "invoice")
    return lines.page(call, lines.of_invoice(call.store, invoice), f"/v1/invoices/{invoice['id']}/lines")


def update_line(call: Call) -> Row:
    """POST /v1/invoices/{id}/lines/{id}: the item it bills changes with it."""
    invoice = _draft(call)
    _changed(call, invoice, [(_of(call, invoice, call.path[1], "line_item_id"), call.params)])
    return call.find("line_item", call.path[1])


def update_lines(call: Call) -> Row:
    """POST /v1/invoices/{id}/update_lines"""
    invoice = _draft(call)
    wanted = [
        (_of(call, invoice, asked["id"], f"lines[{at}][id]"), asked) for at, asked in enumerate(call.params["lines"])
    ]
    return _changed(call, invoice, wanted)


def _changed(call: Call, invoice: Row, wanted: list[tuple[Row, dict[str, Any]]]) -> Row:
    fresh = {}
    for row, params in wanted:
        changes = invoice_items.changed(call, row, params)
        rates = changes.pop("tax_rates", None)
        if "amount" in changes:
            changes["subtotal"] = changes["amount"]
        changes["metadata"] = merged(row, params)
        if rates is not None:
            changes["_tax_rates"] = [rate["id"] for rate in rates]
        if "discounts" in params:
            changes["discounts"] = [discount["id"] for discount in _discounts(call, invoice, row, params)]
        fresh[row["id"]] = {**row, **changes}
        item = call.store.get("invoiceitem", lines.item_of(row) or "")
        if item is not None:
            shared = {name: value for name, value in changes.items() if name in item and name[0] != "_"}
            call.change(item, **shared, tax_rates=item["tax_rates"] if rates is None else rates)
    return drafts.replace(call, invoice, fresh, **_metadata(call, invoice))


def _discounts(call: Call, invoice: Row, row: Row, params: dict[str, Any]) -> list[Row]:
    customer, code = call.find("customer", invoice["customer"]), invoice["currency"]
    item = lines.item_of(row)
    if item is None:
        return discounts.resolve(call, params["discounts"], customer=customer, currency=code, invoice=invoice["id"])
    return discounts.resolve(call, params["discounts"], customer=customer, currency=code, invoice_item=item)


def add_lines(call: Call) -> Row:
    """POST /v1/invoices/{id}/add_lines: pending items, or new ones made of amounts and prices."""
    invoice = _draft(call)
    customer = call.find("customer", invoice["customer"])
    new = [_line(call, invoice, customer, asked, f"lines[{at}]") for at, asked in enumerate(call.params["lines"])]
    return drafts.extend(call, invoice, new, **_metadata(call, invoice))


def _line(call: Call, invoice: Row, customer: Row, asked: dict[str, Any], inside: str) -> Line:
    if asked.get("invoice_item"):
        item = call.find("invoiceitem", asked["invoice_item"], f"{inside}[invoice_item]", 400)
        if item["invoice"] is not None or item["customer"] != customer["id"] or item["currency"] != invoice["currency"]:
            message = "The invoice item has to be pending, of the invoice's customer and in its currency."
            raise invalid(f"{inside}[invoice_item]", message)
        return items.line(call.store, items.join(call, item, invoice["id"]))
    cost = pricing.cost(call, asked, invoice["currency"], inside)
    if cost.currency != invoice["currency"]:
        raise invalid(f"{inside}[pricing][price]", f"The invoice is in {invoice['currency']}.")
    item = items.add(call, customer, **pricing.asked(call, asked, cost, inside), invoice=invoice["id"])
    return items.line(call.store, invoice_items.discounted(call, item, customer, asked))


def remove_lines(call: Call) -> Row:
    """POST /v1/invoices/{id}/remove_lines: an item behind a line is deleted, or unassigned and so pending again."""
    invoice = _draft(call)
    gone = {}
    for at, asked in enumerate(call.params["lines"]):
        row = _of(call, invoice, asked["id"], f"lines[{at}][id]")
        item = call.store.get("invoiceitem", lines.item_of(row) or "")
        if item is None:
            raise invalid(f"lines[{at}][id]", "Only lines of invoice items can be removed.")
        gone[row["id"]] = item, asked["behavior"]
    for item, behavior in gone.values():
        if behavior == "delete":
            items.remove(call, item)
        else:
            items.join(call, item, None)
    kept = [row for row in lines.of_invoice(call.store, invoice) if row["id"] not in gone]
    return drafts.keep(call, invoice, kept, **_metadata(call, invoice))


def _draft(call: Call) -> Row:
    invoice = call.find("invoice", call.path[0], "invoice")
    drafts.editable(invoice)
    if call.params.get("lines") == []:
        raise missing("lines")
    return invoice


def _of(call: Call, invoice: Row, id_: str, param: str) -> Row:
    row = call.store.get("line_item", id_)
    if row is None or id_ not in invoice["_lines"]:
        raise no_such("line_item", id_, param, 404 if len(call.path) > 1 else 400)
    return row


def _metadata(call: Call, invoice: Row) -> dict[str, Any]:
    """What ``invoice_metadata`` changes."""
    if "invoice_metadata" not in call.params:
        return {}
    return {"metadata": merged(invoice, {"metadata": call.params["invoice_metadata"]})}


_LINE: dict[str, Kind] = {**pricing.PRICED}
_ADD = array(fields({**_LINE, "invoice_item": string}))
_UPDATE = array(fields({**_LINE, "id": string}, ("id",)))
_REMOVE = array(fields({"behavior": one_of("delete", "unassign"), "id": string}, ("behavior", "id")))


def _many(kind: Kind) -> dict[str, Kind]:
    return {**EXPAND, "invoice_metadata": metadata, "lines": kind}


ENDPOINTS = (
    Endpoint("GET", "invoices/*/lines", _lines, PAGE),
    Endpoint("POST", "invoices/*/lines/*", update_line, {**META, **_LINE}),
    Endpoint("POST", "invoices/*/add_lines", add_lines, _many(_ADD), ("lines",)),
    Endpoint("POST", "invoices/*/update_lines", update_lines, _many(_UPDATE), ("lines",)),
    Endpoint("POST", "invoices/*/remove_lines", remove_lines, _many(_REMOVE), ("lines",)),
)

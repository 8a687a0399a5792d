"""Acts of the catalogue, of subscriptions, invoices, checkout, quotes and test clocks."""

from typing import Any

from tests.convergence.shop import CURRENCIES, Json, Shop

DAY = 86_400
LINES_MANY = 14
"""More lines than an event carries (10)."""


async def product(shop: Shop) -> None:
    """A product comes with prices, changes there and back, stops being sold or goes."""
    old = shop.row("product")
    match shop.number(0, 5):
        case 0 if old:
            for _ in range(shop.number(1, 3)):
                await shop.post(f"products/{old['id']}", name=shop.pick(("Tea", "Mint")))
        case 1 if old:
            await shop.post(f"products/{old['id']}", active=shop.happens(0.5))
        case 2 if old:
            await shop.delete(f"products/{old['id']}")
        case 3:
            await shop.post("products", name="Unsold")
        case _:
            made = await shop.post("products", name="Tea")
            for _ in range(2):
                await _price(shop, made["id"], "usd", monthly=True)
            await _price(shop, made["id"], shop.pick(CURRENCIES), monthly=shop.happens(0.5))


async def _price(shop: Shop, product_id: str, currency: str, *, monthly: bool) -> Json:
    more: dict[str, Any] = {"recurring": {"interval": shop.pick(("month", "week"))}} if monthly else {}
    return await shop.post("prices", product=product_id, currency=currency, unit_amount=shop.money(currency), **more)


async def price(shop: Shop) -> None:
    """A price nobody bought yet is renamed, withdrawn, offered again, or a free one comes.

    The sandbox keeps a price inside what was sold as it was then.
    """
    store = shop.account.sandbox.store
    sold = {row["price"]["id"] for kind in ("subscription_item", "item") for row in store.rows(kind) if "price" in row}
    old = shop.row("price", lambda row: row["id"] not in sold)
    if old and shop.happens(0.7):
        change: dict[str, Any] = {"nickname": shop.pick("uv")} if shop.happens(0.5) else {"active": shop.happens(0.5)}
        await shop.post(f"prices/{old['id']}", **change)
    elif owner := shop.row("product"):
        await shop.post("prices", product=owner["id"], currency="usd", unit_amount=0)


async def coupon(shop: Shop) -> None:
    """Coupons and promotion codes come, change, go, and are used by customers."""
    old, code, customer = shop.row("coupon"), shop.row("promotion_code"), shop.row("customer")
    match shop.number(0, 6):
        case 0 if old:
            await shop.post(f"coupons/{old['id']}", name=shop.pick("mn"))
        case 1 if old:
            await shop.delete(f"coupons/{old['id']}")
        case 2 if code:
            await shop.post(f"promotion_codes/{code['id']}", active=shop.happens(0.5))
        case 3 if old:
            await shop.post("promotion_codes", promotion={"type": "coupon", "coupon": old["id"]})
        case 4 if customer and customer.get("discount"):
            await shop.delete(f"customers/{customer['id']}/discount")
        case 5:
            await shop.post("tax_rates", display_name="VAT", inclusive=shop.happens(0.5), percentage=19)
        case _:
            off: dict[str, Any] = {"percent_off": 25} if shop.happens(0.6) else {"amount_off": 100, "currency": "usd"}
            await shop.post("coupons", duration=shop.pick(("once", "forever")), **off)


async def subscribe(shop: Shop) -> None:
    """A customer subscribes to one price or several, with a trial or a coupon, paid at once or by invoice."""
    customer = shop.row("customer")
    if customer is None:
        return
    currency = customer["currency"] or "usd"
    items = []
    for _ in range(shop.number(1, 3)):
        found = shop.row("price", lambda row: row["recurring"] and row["currency"] == currency and row["active"])
        items += [{"price": found["id"]}] if found and {"price": found["id"]} not in items else []
    more: dict[str, Any] = {"trial_period_days": shop.number(1, 8)} if shop.happens(0.25) else {}
    if shop.happens(0.2):
        more |= {"collection_method": "send_invoice", "days_until_due": 7}
    if shop.happens(0.2) and (found := shop.row("coupon")):
        more["discounts"] = [{"coupon": found["id"]}]
    if items:
        await shop.post("subscriptions", customer=customer["id"], items=items, **more)


async def change_subscription(shop: Shop) -> None:
    """Items come and go, quantities and prices change; several times in one second."""
    for _ in range(shop.number(1, 3)):
        held = shop.row("subscription", lambda row: row["status"] not in ("canceled", "incomplete_expired"))
        if held is None:
            return
        await _change_items(shop, held)


async def _change_items(shop: Shop, held: Json) -> None:
    path, how = f"subscriptions/{held['id']}", shop.pick(("create_prorations", "always_invoice", "none"))
    item = shop.row("subscription_item", lambda row: row["subscription"] == held["id"])
    price = shop.row("price", lambda row: row["recurring"] and row["currency"] == held["currency"] and row["active"])
    match shop.number(0, 5):
        case 0 if item:
            await shop.delete(f"subscription_items/{item['id']}")
        case 1 if item:
            await shop.post(f"subscription_items/{item['id']}", quantity=shop.number(1, 4), proration_behavior=how)
        case 2 if item and price:
            await shop.post(path, items=[{"id": item["id"], "price": price["id"]}], proration_behavior=how)
        case 3 if item:
            await shop.post(path, items=[{"id": item["id"], "deleted": True}], proration_behavior=how)
        case 4:
            await shop.post(path, metadata={"tier": shop.pick("12")})
        case _ if price:
            await shop.post("subscription_items", subscription=held["id"], price=price["id"], proration_behavior=how)
            await shop.post(path, description=shop.pick("ab"))


async def pause_or_end(shop: Shop) -> None:
    """A subscription stands still, goes on, is put under a schedule, or ends."""
    held = shop.row("subscription", lambda row: row["status"] not in ("canceled", "incomplete_expired"))
    if held is None:
        return
    path = f"subscriptions/{held['id']}"
    match shop.number(0, 7):
        case 0:
            await shop.post(path, pause_collection={"behavior": "void"})
        case 1:
            await shop.post(path, pause_collection="")
        case 2:
            await shop.post(f"{path}/pause", type="subscription")
        case 3:
            await shop.post(f"{path}/resume", billing_cycle_anchor="now")
        case 4:
            await shop.post(path, cancel_at_period_end=shop.happens(0.7))
        case 5:
            await shop.delete(path)
        case _:
            await _schedule(shop, held)


async def _schedule(shop: Shop, held: Json) -> None:
    old = shop.row("subscription_schedule", lambda row: row["status"] in ("active", "not_started"))
    if old is None:
        await shop.post("subscription_schedules", from_subscription=held["id"])
    elif shop.happens(0.3):
        await shop.post(f"subscription_schedules/{old['id']}", metadata={"plan": shop.pick("ab")})
    else:
        await shop.post(f"subscription_schedules/{old['id']}/{shop.pick(('release', 'cancel'))}")


async def bill(shop: Shop) -> None:
    """An invoice by hand, with few lines or with more than an event carries; perhaps finalized at once."""
    customer = shop.row("customer")
    if customer is None:
        return
    currency = customer["currency"] or shop.pick(CURRENCIES)
    made = await shop.post("invoices", customer=customer["id"], currency=currency, auto_advance=shop.happens(0.5))
    if "id" not in made:
        return
    count = LINES_MANY if shop.happens(0.35) else shop.number(1, 4)
    lines = [{"amount": shop.money(currency), "description": f"Line {at}"} for at in range(count)]
    await shop.post(f"invoices/{made['id']}/add_lines", lines=lines)
    if shop.happens(0.6):
        await shop.post(f"invoices/{made['id']}/finalize")
        if shop.happens(0.6):
            await shop.post(f"invoices/{made['id']}/pay")


async def draft_lines(shop: Shop) -> None:
    """Lines of a draft come, change and go, or the draft itself goes."""
    draft = shop.row("invoice", lambda row: row["status"] == "draft")
    if draft is None:
        return
    path, lines = f"invoices/{draft['id']}", draft["lines"]["data"]
    line = shop.pick(lines) if lines else None
    match shop.number(0, 4):
        case 0 if line:
            await shop.post(f"{path}/remove_lines", lines=[{"id": line["id"], "behavior": "delete"}])
        case 1 if line:
            await shop.post(f"{path}/update_lines", lines=[{"id": line["id"], "amount": shop.money(draft["currency"])}])
        case 2:
            await shop.delete(path)
        case 3:
            await shop.post(f"{path}/finalize")
        case _:
            lines = [
                {"amount": shop.money(draft["currency"]), "description": "More"} for _ in range(shop.number(1, 12))
            ]
            await shop.post(f"{path}/add_lines", lines=lines)


async def invoice_item(shop: Shop) -> None:
    """Something for the next invoice comes, changes or goes."""
    old = shop.row("invoiceitem", lambda row: row["invoice"] is None)
    if old and shop.happens(0.3):
        await shop.delete(f"invoiceitems/{old['id']}")
    elif old and shop.happens(0.4):
        await shop.post(f"invoiceitems/{old['id']}", amount=shop.money(old["currency"]))
    elif customer := shop.row("customer"):
        currency = customer["currency"] or "usd"
        await shop.post("invoiceitems", customer=customer["id"], currency=currency, amount=shop.money(currency))


async def collect(shop: Shop) -> None:
    """An open invoice is paid, voided, written off, sent, or credited; a credit note is voided."""
    invoice = shop.row("invoice", lambda row: row["status"] in ("open", "uncollectible"))
    note = shop.row("credit_note", lambda row: row["status"] == "issued")
    path = f"invoices/{invoice['id']}" if invoice else ""
    match shop.number(0, 6):
        case 0 if invoice:
            await shop.post(f"{path}/pay", payment_method="pm_card_visa")
        case 1 if invoice:
            await shop.post(f"{path}/void")
        case 2 if invoice:
            await shop.post(f"{path}/mark_uncollectible")
        case 3 if invoice:
            await shop.post(path, metadata={"seen": shop.pick("12")})
        case 4 if note:
            await shop.post(f"credit_notes/{note['id']}/void")
        case _:
            paid = shop.row("invoice", lambda row: row["status"] in ("paid", "open") and row["total"] > 0)
            if paid:
                amount = min(paid["total"], shop.number(1, 30) * 10)
                how = {"credit_amount": amount} if paid["status"] == "paid" else {}
                await shop.post("credit_notes", invoice=paid["id"], amount=amount, **how)


async def checkout(shop: Shop) -> None:
    """A page of checkout is opened, bought from, or expires."""
    waiting = shop.row("checkout.session", lambda row: row["status"] == "open")
    if waiting and shop.happens(0.6):
        if shop.happens(0.3):
            await shop.post(f"checkout/sessions/{waiting['id']}/expire")
        else:
            card = shop.pick(("pm_card_visa", "pm_card_visa", "pm_card_chargeDeclined"))
            order = f"checkout/sessions/{waiting['id']}/complete"
            await shop.outside(order, payment_method=card, email="a@example.com")
        return
    item = shop.row("price", lambda row: row["active"] and row["unit_amount"])
    if item:
        mode = "subscription" if item["recurring"] else "payment"
        sold = [{"price": item["id"], "quantity": shop.number(1, 3)}]
        made = await shop.post("checkout/sessions", mode=mode, success_url="https://shop.test/ok", line_items=sold)
        if "id" in made and shop.happens(0.5):
            order = f"checkout/sessions/{made['id']}/complete"
            await shop.outside(order, payment_method="pm_card_visa", email="a@example.com")


async def link(shop: Shop) -> None:
    """A payment link is made, changed or followed."""
    old, item = shop.row("payment_link"), shop.row("price", lambda row: row["active"] and row["unit_amount"])
    if old and shop.happens(0.4):
        await shop.outside(f"payment_links/{old['id']}/checkout")
    elif old and shop.happens(0.5):
        await shop.post(f"payment_links/{old['id']}", active=shop.happens(0.5))
    elif item:
        await shop.post("payment_links", line_items=[{"price": item["id"], "quantity": 1}])


async def quote(shop: Shop) -> None:
    """A quote is drafted, finalized, accepted or canceled."""
    old = shop.row("quote", lambda row: row["status"] in ("draft", "open"))
    customer, item = shop.row("customer"), shop.row("price", lambda row: row["active"])
    if old:
        step = shop.pick(("finalize", "accept", "accept", "cancel"))
        await shop.post(f"quotes/{old['id']}/{'finalize' if old['status'] == 'draft' and step == 'accept' else step}")
    elif customer and item:
        made = await shop.post("quotes", customer=customer["id"], line_items=[{"price": item["id"]}])
        if "id" in made and shop.happens(0.5):
            await shop.post(f"quotes/{made['id']}/finalize")


async def test_clock(shop: Shop) -> None:
    """A test clock is made in the future; it is advanced, or goes with all that follows it."""
    old = shop.row("test_helpers.test_clock", lambda row: row["status"] == "ready")
    if old is None or shop.happens(0.15):
        await shop.post("test_helpers/test_clocks", frozen_time=shop.account.now + shop.number(400, 440) * DAY)
    elif shop.happens(0.15):
        await shop.delete(f"test_helpers/test_clocks/{old['id']}")
    else:
        until = old["frozen_time"] + shop.pick((1, DAY, 8 * DAY, 32 * DAY))
        await shop.post(f"test_helpers/test_clocks/{old['id']}/advance", frozen_time=until)


async def meter(shop: Shop) -> None:
    """A meter is made, renamed, switched off or on."""
    old = shop.row("billing.meter")
    if old is None or shop.happens(0.3):
        formula = {"formula": "sum"}
        name = f"use_{shop.name[-4:]}"
        await shop.post("billing/meters", default_aggregation=formula, display_name="Use", event_name=name)
    elif shop.happens(0.5):
        await shop.post(f"billing/meters/{old['id']}", display_name=shop.pick(("Use", "More use")))
    else:
        step = "deactivate" if old["status"] == "active" else "reactivate"
        await shop.post(f"billing/meters/{old['id']}/{step}")

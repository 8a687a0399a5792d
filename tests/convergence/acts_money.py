"""Acts of customers, cards, payments, and of the account's own money."""

from typing import Any

from tests.convergence.shop import CURRENCIES, Shop

CARDS = ("visa", "bypassPending", "mastercard", "chargeDeclined", "chargeCustomerFail", "createDispute",
         "createDisputeInquiry", "refundFail", "pendingRefund", "authenticationRequired")  # fmt: skip
SAVABLE = ("visa", "mastercard", "bypassPending", "chargeCustomerFail")
TAX_IDS = (("eu_vat", "DE123456789"), ("us_ein", "12-3456789"), ("gb_vat", "GB000000000"), ("eu_vat", "FR11111111111"))
AT_ONCE: dict[str, Any] = {"allowed_payment_method_types": ["card"], "confirm": True}


async def new_customer(shop: Shop) -> None:
    """A customer, mostly with a card, sometimes on a test clock."""
    clock = shop.row("test_helpers.test_clock", lambda row: row["status"] == "ready") if shop.happens(0.3) else None
    more: dict[str, Any] = {"test_clock": clock["id"]} if clock else {}
    made = await shop.post("customers", name=shop.pick("ABC"), email=f"{shop.name[-6:]}@example.com", **more)
    if "id" in made and shop.happens(0.85):
        await _save_card(shop, made["id"], "visa" if shop.happens(0.7) else shop.pick(SAVABLE))


async def edit_customer(shop: Shop) -> None:
    """A few changes back and forth within one second: what only a refetch can settle."""
    customer = shop.row("customer")
    for _ in range(shop.number(1, 4) if customer else 0):
        change: dict[str, Any] = {"name": shop.pick("abc")}
        if shop.happens(0.5):
            change["metadata"] = {shop.pick("xy"): shop.pick("12")}
        await shop.post(f"customers/{customer['id']}", **change)  # type: ignore[index]


async def drop_customer(shop: Shop) -> None:
    """A customer goes, changed once more in the same second before."""
    if customer := shop.row("customer"):
        await shop.post(f"customers/{customer['id']}", description="leaving")
        await shop.delete(f"customers/{customer['id']}")


async def passing_customer(shop: Shop) -> None:
    """Made and deleted in one second."""
    made = await shop.post("customers", name="Passing")
    await shop.delete(f"customers/{made['id']}")


async def credit(shop: Shop) -> None:
    """A customer's credit balance moves."""
    if customer := shop.row("customer"):
        currency = customer["currency"] or shop.pick(CURRENCIES)
        amount = shop.number(-50, 30) * 10 or 10
        await shop.post(f"customers/{customer['id']}/balance_transactions", amount=amount, currency=currency)


async def tax_id(shop: Shop) -> None:
    """A tax id comes, or one goes."""
    if (old := shop.row("tax_id", lambda row: row["customer"])) and shop.happens(0.4):
        await shop.delete(f"customers/{old['customer']}/tax_ids/{old['id']}")
    elif customer := shop.row("customer"):
        kind, value = shop.pick(TAX_IDS)
        await shop.post(f"customers/{customer['id']}/tax_ids", type=kind, value=value)


async def card(shop: Shop) -> None:
    """A card is saved, changed or detached."""
    method = shop.row("payment_method", lambda row: row["customer"])
    if method and shop.happens(0.35):
        await shop.post(f"payment_methods/{method['id']}/detach")
    elif method and shop.happens(0.4):
        await shop.post(f"payment_methods/{method['id']}", metadata={"seen": shop.pick("123")})
    elif customer := shop.row("customer"):
        await _save_card(shop, customer["id"], shop.pick(SAVABLE))


async def _save_card(shop: Shop, customer: str, name: str) -> None:
    method = await shop.post(f"payment_methods/pm_card_{name}/attach", customer=customer)
    if "id" in method:
        await shop.post(f"customers/{customer}", invoice_settings={"default_payment_method": method["id"]})


async def pay(shop: Shop) -> None:
    """A payment at once: it succeeds, declines, is disputed, waits for its customer or for its capture."""
    currency = shop.pick(CURRENCIES)
    customer = shop.row("customer") if shop.happens(0.6) else None
    more: dict[str, Any] = {"customer": customer["id"]} if customer else {}
    if shop.happens(0.3):
        more["capture_method"] = "manual"
    if customer and shop.happens(0.3):
        more["setup_future_usage"] = "off_session"
    card = "visa" if shop.happens(0.4) else shop.pick(CARDS)
    made = await shop.post(
        "payment_intents",
        amount=shop.money(currency),
        currency=currency,
        payment_method=f"pm_card_{card}",
        metadata={"order": shop.name},
        **AT_ONCE,
        **more,
    )
    if made.get("status") == "requires_action" and shop.happens(0.7):
        await shop.outside(f"payment_intents/{made['id']}/authenticate", succeed=shop.happens(0.7))


async def draft_payment(shop: Shop) -> None:
    """A payment intent nobody confirmed yet is made, changed, confirmed or canceled."""
    waiting = shop.row("payment_intent", lambda row: row["status"] in ("requires_payment_method", "requires_action"))
    if waiting is None or shop.happens(0.3):
        await shop.post("payment_intents", amount=shop.money("usd"), currency="usd")
    elif shop.happens(0.4):
        await shop.post(f"payment_intents/{waiting['id']}/cancel")
    else:
        await shop.post(f"payment_intents/{waiting['id']}/confirm", payment_method="pm_card_visa")


async def capture(shop: Shop) -> None:
    """What was held is captured whole or in part, or let go."""
    if held := shop.row("payment_intent", lambda row: row["status"] == "requires_capture"):
        if shop.happens(0.25):
            await shop.post(f"payment_intents/{held['id']}/cancel")
        else:
            part = {"amount_to_capture": held["amount"] // 2 // 10 * 10} if shop.happens(0.5) else {}
            await shop.post(f"payment_intents/{held['id']}/capture", **part)


async def refund(shop: Shop) -> None:
    """A part or all comes back, sometimes twice in a second, or a refund is changed or canceled."""
    old = shop.row("refund")
    if old and shop.happens(0.2):
        await shop.post(f"refunds/{old['id']}", metadata={"why": shop.pick("ab")})
    elif old and shop.happens(0.1):
        await shop.post(f"refunds/{old['id']}/cancel")
    elif charge := shop.row("charge", lambda row: row["captured"] and not row["refunded"]):
        for _ in range(shop.number(1, 2)):
            part = {"amount": shop.number(1, 60) * 10} if shop.happens(0.7) else {}
            await shop.post("refunds", charge=charge["id"], **part)


async def edit_charge(shop: Shop) -> None:
    """A charge's description changes there and back."""
    if charge := shop.row("charge"):
        for _ in range(shop.number(1, 3)):
            await shop.post(f"charges/{charge['id']}", description=shop.pick("pq"))


async def dispute(shop: Shop) -> None:
    """A dispute is opened, answered or given up."""
    open_one = shop.row("dispute", lambda row: row["status"] in ("needs_response", "warning_needs_response"))
    if open_one and shop.happens(0.7):
        if shop.happens(0.3):
            await shop.post(f"disputes/{open_one['id']}/close")
        else:
            evidence = {"uncategorized_text": shop.pick(("winning_evidence", "losing_evidence", "nothing"))}
            await shop.post(f"disputes/{open_one['id']}", evidence=evidence, submit=shop.happens(0.7))
    elif charge := shop.row("charge", lambda row: row["paid"] and not row["disputed"]):
        await shop.outside(f"charges/{charge['id']}/dispute")


async def setup(shop: Shop) -> None:
    """A card is set up for later."""
    old = shop.row("setup_intent", lambda row: row["status"] in ("requires_payment_method", "requires_action"))
    if old and shop.happens(0.4):
        await shop.post(f"setup_intents/{old['id']}/cancel")
        return
    customer = shop.row("customer")
    more = {"customer": customer["id"]} if customer else {}
    name = shop.pick((*SAVABLE, "authenticationRequired", "chargeDeclined"))
    made = await shop.post("setup_intents", allowed_payment_method_types=["card"], **more)
    if "id" in made and shop.happens(0.8):
        made = await shop.post(f"setup_intents/{made['id']}/confirm", payment_method=f"pm_card_{name}")
        if made.get("status") == "requires_action":
            await shop.outside(f"setup_intents/{made['id']}/authenticate", succeed=shop.happens(0.6))


async def payout(shop: Shop) -> None:
    """Payouts: by hand, canceled, returned by the bank, reversed; daily or not."""
    old = shop.row("payout")
    match shop.number(0, 5):
        case 0 if old:
            await shop.post(f"payouts/{old['id']}/cancel")
        case 1 if old:
            await shop.outside(f"payouts/{old['id']}/fail")
        case 2 if old:
            await shop.post(f"payouts/{old['id']}/reverse")
        case 3 if old:
            await shop.post(f"payouts/{old['id']}", metadata={"note": shop.pick("ab")})
        case 4:
            schedule = {"interval": shop.pick(("manual", "daily"))}
            await shop.post("balance_settings", payments={"payouts": {"schedule": schedule}})
        case _ if shop.account.sandbox.store.balance("usd")["available"] > 0:
            await shop.post("payouts", amount=shop.number(10, 400), currency=shop.pick(("usd", "eur", "jpy")))


async def topup(shop: Shop) -> None:
    """Money comes from the bank, or its coming is canceled."""
    if (old := shop.row("topup", lambda row: row["status"] == "pending")) and shop.happens(0.4):
        await shop.post(f"topups/{old['id']}/cancel")
    else:
        currency = shop.pick(CURRENCIES)
        await shop.post("topups", amount=shop.money(currency), currency=currency)


async def connect(shop: Shop) -> None:
    """Another account joins, changes, or leaves."""
    old = shop.row("account")
    if old is None or shop.happens(0.2):
        accepted = {"date": shop.account.now, "ip": "203.0.113.7"}
        wanted = {"transfers": {"requested": True}, "card_payments": {"requested": True}}
        await shop.post("accounts", type="custom", capabilities=wanted, tos_acceptance=accepted)
    elif shop.happens(0.12):
        await shop.delete(f"accounts/{old['id']}")
    else:
        await shop.post(f"accounts/{old['id']}", metadata={"level": shop.pick("12")})


async def transfer(shop: Shop) -> None:
    """Money goes to another account, comes back in parts, or is annotated."""
    old = shop.row("transfer")
    if old and shop.happens(0.4):
        await shop.post(f"transfers/{old['id']}/reversals", amount=shop.number(1, 20) * 10)
    elif old and shop.happens(0.3):
        await shop.post(f"transfers/{old['id']}", metadata={"part": shop.pick("12")})
    elif there := shop.row("account"):
        charge = shop.row("charge", lambda row: row["captured"] and not row["source_transfer"])
        source = {"source_transaction": charge["id"]} if charge and shop.happens(0.8) else {}
        currency = charge["currency"] if charge and source else "usd"
        amount = shop.number(60, 120) * 10
        await shop.post("transfers", amount=amount, currency=currency, destination=there["id"], **source)


async def business_elsewhere(shop: Shop) -> None:
    """What a connected account does itself: a customer, a payment, a change."""
    there = shop.row("account")
    if there is None:
        return
    account = there["id"]
    customer = shop.row("customer", account=account)
    if customer and shop.happens(0.5):
        for _ in range(shop.number(1, 2)):
            await shop.post(f"customers/{customer['id']}", account, name=shop.pick("abc"))
    elif shop.happens(0.6):
        await shop.post("customers", account, name="Elsewhere")
    await shop.post("payment_intents", account, amount=1000, currency="usd", payment_method="pm_card_visa", **AT_ONCE)

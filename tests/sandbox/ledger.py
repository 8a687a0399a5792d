"""Whether the balance transactions of an account are those that its payments, refunds, disputes and payouts ask for.

What each object should have moved is worked out here anew, in fractions, from the object itself; only the tables of
fees and rates are the sandbox's own.
"""

from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from typing import Any, NamedTuple

from payment_kit.money import exponent
from payment_kit.sandbox.balance.exchange import DOLLARS
from payment_kit.sandbox.balance.settlement import DISPUTE_FEE, FEE_FIXED
from payment_kit.sandbox.store import Store

Row = dict[str, Any]


class Entry(NamedTuple):
    """What moves the balance: for which object, as what, by how much before the fee, in the currency it settles in."""

    source: str
    type: str
    category: str
    amount: int
    currency: str
    fee: int = 0


def disagreements(store: Store) -> list[str]:
    """What does not agree in an account and in those connected to it."""
    found = [*_of(store, None), *_transfers(store)]
    for account, there in store.connected.items():
        found += [f"{account}: {what}" for what in _of(there, store)]
    return found


def sums(store: Store, part: str) -> Counter[str]:
    """What the transactions of one status add up to, by currency."""
    result = Counter[str]()
    for row in store.rows("balance_transaction"):
        result[row["currency"]] += row["net"] * (row["status"] == part)
    return result


def _of(store: Store, platform: Store | None) -> list[str]:
    rows = list(store.rows("balance_transaction"))
    found = [f"{row['id']}: {what}" for row in rows for what in _inside(row)]
    wanted, links = Counter[Entry](), list[tuple[str, str | None, Entry]]()
    for entry, link, name in _entries(store, platform):
        wanted[entry] += 1
        if name:
            links.append((name, link, entry))
    gone = {row["source"] for row in rows if not _known(store, row["source"])}
    there = Counter(_entry(row) for row in rows if row["source"] not in gone)
    found += [f"missing: {entry}" for entry in (wanted - there).elements()]
    found += [f"not asked for: {entry}" for entry in (there - wanted).elements()]
    for name, link, entry in links:
        row = store.get("balance_transaction", link) if link else None
        if row is None or _entry(row) != entry:
            found.append(f"{name} names {link}, which is not {entry}")
    return [*found, *_payouts(store, rows), *_objects(store), *_customers(store)]


def _inside(row: Row) -> Iterator[str]:
    if row["net"] != row["amount"] - row["fee"]:
        yield f"net is {row['net']}, not {row['amount']} - {row['fee']}"
    if sum(one["amount"] for one in row["fee_details"]) != row["fee"]:
        yield f"the details of the fee are not {row['fee']}"
    if any(one["currency"] != row["currency"] for one in row["fee_details"]):
        yield "a part of the fee is in another currency"


def _entry(row: Row) -> Entry:
    return Entry(row["source"], row["type"], row["reporting_category"], row["amount"], row["currency"], row["fee"])


def _known(store: Store, source: str) -> bool:
    """Whether an object is there: what followed a test clock is gone with it, its money is not."""
    kinds = ("charge", "refund", "dispute", "payout", "topup", "transfer", "transfer_reversal", *_FEES)
    return any(store.get(kind, source) for kind in kinds)


_FEES = ("application_fee", "fee_refund")
Asked = Iterator[tuple[Entry, str | None, str]]


def _entries(store: Store, platform: Store | None) -> Asked:
    """What should be there, the transaction the object names for it, and the name it names it by."""
    yield from _application_fees(store, platform)
    for charge in store.rows("charge"):
        yield from _charge(charge) if charge["source_transfer"] is None else _received(charge, platform)
    for refund in store.rows("refund"):
        yield from _refund(refund)
    for dispute in store.rows("dispute"):
        yield from _dispute(dispute)
    for payout in store.rows("payout"):
        yield from _payout(payout)
    for topup in store.rows("topup"):
        if topup["status"] == "succeeded":
            yield _asked(topup, "balance_transaction", "topup", "topup", topup["amount"])
    for transfer in store.rows("transfer"):
        yield _asked(transfer, "balance_transaction", "transfer", "transfer", -transfer["amount"])
    for back in store.rows("transfer_reversal"):
        yield _asked(back, "balance_transaction", "transfer_refund", "transfer_reversal", back["amount"])


def _asked(row: Row, name: str, type_: str, category: str, amount: int, fee: int = 0) -> tuple[Entry, str | None, str]:
    moved, currency = settled(amount, row["currency"])
    return Entry(row["id"], type_, category, moved, currency, fee), row[name], f"{row['id']}.{name}"


def _charge(charge: Row) -> Asked:
    if not charge["captured"] or not charge["paid"]:
        return
    taken, currency = settled(charge["amount_captured"], charge["currency"])
    fixed = FEE_FIXED.get(currency, 0)
    fee = min(_half_up(Fraction(taken * 29, 1000), _step(currency)) + fixed, taken)
    if charge["application_fee"] is not None:
        fee += settled(charge["application_fee_amount"], charge["currency"])[0]
    yield _asked(charge, "balance_transaction", "charge", "charge", charge["amount"], fee)
    rest = charge["amount"] - charge["amount_captured"]
    if rest:
        entry, _, _ = _asked(charge, "balance_transaction", "refund", "partial_capture_reversal", -rest)
        yield entry, None, ""


def _application_fees(store: Store, platform: Store | None) -> Asked:
    """What a platform earned and gave back; and what came back to an account on its own, with no refund."""
    for fee in store.rows("application_fee"):
        yield _asked(fee, "balance_transaction", "application_fee", "platform_earning", fee["amount"])
    for back in store.rows("fee_refund"):
        type_, category = "application_fee_refund", "platform_earning_refund"
        yield _asked(back, "balance_transaction", type_, category, -back["amount"])
    for charge in store.rows("charge") if platform is not None else ():
        assert platform is not None
        told = [row["_fee"] for row in store.tables["refund"].having("charge", charge["id"]) if row["_fee"]]
        for back in platform.tables["fee_refund"].having("fee", charge["application_fee"]):
            if back["amount"] in told:
                told.remove(back["amount"])
            else:
                yield _asked({**charge, "": None}, "", "adjustment", "fee", back["amount"])[0], None, ""


def _received(charge: Row, platform: Store | None) -> Asked:
    """A transfer as the connected account sees it, and what went back."""
    assert platform is not None
    yield _asked(charge, "balance_transaction", "payment", "charge", charge["amount"])
    for back in platform.tables["transfer_reversal"].having("transfer", charge["source_transfer"]):
        entry, _, _ = _asked(charge, "balance_transaction", "payment_refund", "refund", -back["amount"])
        yield entry, None, ""


def _refund(refund: Row) -> Asked:
    if refund["balance_transaction"] is not None:
        fee = -settled(refund["_fee"], refund["currency"])[0]
        yield _asked(refund, "balance_transaction", "refund", "refund", -refund["amount"], fee)
        if refund["status"] in ("failed", "canceled"):
            yield _asked(refund, "failure_balance_transaction", "refund_failure", "refund_failure", refund["amount"])


def _dispute(dispute: Row) -> Asked:
    if dispute["status"].startswith("warning_"):
        return
    currency = settled(0, dispute["currency"])[1]
    legs = {row["reporting_category"]: row["id"] for row in dispute["balance_transactions"]}
    named = {**dispute, **dict.fromkeys(("dispute", "dispute_reversal")), **legs}
    yield _asked(named, "dispute", "adjustment", "dispute", -dispute["amount"], DISPUTE_FEE[currency])
    if dispute["status"] == "won":
        yield _asked(named, "dispute_reversal", "adjustment", "dispute_reversal", dispute["amount"])


def _payout(payout: Row) -> Asked:
    if payout["original_payout"] is not None:
        yield _asked(payout, "balance_transaction", "payout", "payout_reversal", -payout["amount"])
        return
    fee = max(_half_up(Fraction(payout["amount"], 100), _step(payout["currency"])), 50)
    fee = fee if payout["method"] == "instant" else 0
    yield _asked(payout, "balance_transaction", "payout", "payout", -payout["amount"], fee)
    back = {"failed": "payout_failure", "canceled": "payout_cancel"}.get(payout["status"])
    if back is not None:
        yield _asked(payout, "failure_balance_transaction", back, "payout_reversal", payout["amount"], -fee)


def _payouts(store: Store, rows: list[Row]) -> Iterator[str]:
    """An automatic payout is what it took; what none took is what is available."""
    taken, free = Counter[str](), Counter[str]()
    for row in rows:
        if row["_payout"] is not None:
            taken[row["_payout"]] += row["net"]
        elif row["status"] == "available":
            free[row["currency"]] += row["net"]
    for payout in store.rows("payout"):
        if payout["automatic"] and taken[payout["id"]]:
            yield f"{payout['id']}: what it took and itself leave {taken[payout['id']]}"
    available = sums(store, "available")
    if +free - +available or +available - +free:
        yield f"no payout took {dict(free)}, of {dict(available)}"
    for part in ("available", "pending"):
        for currency, amount in sums(store, part).items():
            if store.balance(currency)[part] != amount:
                yield f"{part} {currency}: {store.balance(currency)[part]}, not {amount}"


def _objects(store: Store) -> Iterator[str]:
    """Intents against their charges, charges against their refunds, sessions against their intents."""
    tables = store.tables
    for intent in store.rows("payment_intent"):
        got = sum(row["amount_captured"] for row in tables["charge"].having("payment_intent", intent["id"]))
        if intent["amount_received"] != got:
            yield f"{intent['id']}: received {intent['amount_received']}, its charges {got}"
    for charge in store.rows("charge"):
        if charge["source_transfer"] is None:
            refunds = tables["refund"].having("charge", charge["id"])
            back = sum(row["amount"] for row in refunds if row["status"] not in ("failed", "canceled"))
            # letting an authorization go shows as its refund
            most = charge["amount_captured"] if charge["captured"] else charge["amount"]
            if not back == charge["amount_refunded"] <= most <= charge["amount"]:
                yield f"{charge['id']}: {back}, {charge['amount_refunded']} of {most}"
            unpaid = [row["id"] for row in refunds if row["status"] == "succeeded" and not row["balance_transaction"]]
            if charge["captured"] and unpaid:
                yield f"{unpaid} moved nothing"
    for session in store.rows("checkout.session"):
        paid = store.get("payment_intent", session["payment_intent"] or "")
        if paid is not None and session["payment_status"] == "paid" and paid["amount"] != session["amount_total"]:
            yield f"{session['id']}: {session['amount_total']}, paid by {paid['amount']}"


def _customers(store: Store) -> Iterator[str]:
    """A customer's credit is the sum of what moved it."""
    for customer in store.rows("customer"):
        moved = Counter[str]()
        for row in store.tables["customer_balance_transaction"].having("customer", customer["id"]):
            moved[row["currency"]] += row["amount"]
            if row["ending_balance"] != moved[row["currency"]]:
                yield f"{row['id']}: ends at {row['ending_balance']}, not {moved[row['currency']]}"
        if "deleted" not in customer and customer["balance"] != moved.get(customer["currency"], 0):
            yield f"{customer['id']}: {customer['balance']}, not {dict(moved)}"


def _transfers(store: Store) -> Iterator[str]:
    """What left here for a connected account is what came in there, and the same for what came back."""
    for transfer in store.rows("transfer"):
        back = sum(row["amount"] for row in store.tables["transfer_reversal"].having("transfer", transfer["id"]))
        paid = store.connected[transfer["destination"]].get("charge", transfer["destination_payment"])
        assert paid is not None
        mine = (transfer["amount"], transfer["amount_reversed"], transfer["currency"])
        if mine != (paid["amount"], back, paid["currency"]) or paid["amount_refunded"] != back <= transfer["amount"]:
            yield f"{transfer['id']}: {mine}, back {back}, there {paid['amount']} less {paid['amount_refunded']}"


def settled(amount: int, currency: str) -> tuple[int, str]:
    """An amount as it settles, rounded half up away from zero."""
    if currency not in DOLLARS:
        return amount, currency
    exact = abs(amount) * Fraction(DOLLARS[currency]) * Fraction(100, 10 ** exponent(currency))
    return (1 if amount >= 0 else -1) * _half_up(exact, 1), "usd"


def _step(currency: str) -> int:
    return 10 if exponent(currency) == 3 else 1


def _half_up(exact: Fraction, step: int) -> int:
    return (2 * exact.numerator + step * exact.denominator) // (2 * step * exact.denominator) * step

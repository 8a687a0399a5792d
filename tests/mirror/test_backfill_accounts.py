"""Whose lists a backfill reads, what it does not ask for, and what it does when Stripe refuses one."""

from typing import Any

import psycopg
import pytest

from payment_kit.database.connection import Pool
from payment_kit.errors import NotFound, Problem, Refused, Unavailable, UsageProblem
from payment_kit.mirror.accounts import Account
from payment_kit.mirror.backfill import backfill
from payment_kit.mirror.normalise import read_states
from payment_kit.mirror.status import status
from payment_kit.mirror.writer import write
from payment_kit.stripe_gateway import Page, StripeGateway
from payment_kit.stripe_gateway.gateway import API_VERSION
from tests.mirror.business import Business, mirrored

WANTED = {name: {"requested": True} for name in ("card_payments", "transfers")}
TERMS = {"date": 1_782_864_000, "ip": "203.0.113.7"}
AGREED = {"type": "online", "online": {"ip_address": "192.0.2.1", "user_agent": "test"}}


@pytest.fixture
def asked(gateway: StripeGateway, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths of the lists that were asked for."""
    found: list[str] = []
    ask = gateway.page

    async def page(path: str, params: Any = None, **options: Any) -> Page:
        found.append(path)
        assert options["bulk"]
        return await ask(path, params, **options)

    monkeypatch.setattr(gateway, "page", page)
    return found


def refusing(gateway: StripeGateway, monkeypatch: pytest.MonkeyPatch, refused: str, problem: Problem) -> None:
    ask = gateway.page

    async def page(path: str, params: Any = None, **options: Any) -> Page:
        if path == refused:
            raise problem
        return await ask(path, params, **options)

    monkeypatch.setattr(gateway, "page", page)


async def test_a_connected_account_is_read_under_its_own_id(
    gateway: StripeGateway, pool: Pool, account: Account, business: Business
) -> None:
    theirs = (await business.post("accounts", type="custom", capabilities=WANTED, tos_acceptance=TERMS))["id"]
    made = await gateway.request("post", "/v1/customers", {"name": "theirs"}, account=theirs)
    await business.post("customers", name="ours")
    await backfill(gateway, pool, Account(theirs, False, platform=account.id), objects=["customer"])
    async with pool.connection() as connection:
        rows = await (await connection.execute("select account_id, id from stripe.customers")).fetchall()
    assert rows == [(theirs, made.body["id"])]


REFUSALS = {
    "a right the key has not": Refused("STRIPE_PERMISSION_DENIED", "no right", metadata={"http_status": "403"}),
    "a feature the account has not": NotFound("RESOURCE_NOT_FOUND", "no such feature", metadata={"http_status": "404"}),
    "a list for platforms only": UsageProblem("STRIPE_REFUSED_PARAMETER", "no platform"),
    "a list that is not there": Unavailable("STRIPE_UNREACHABLE", "no answer", metadata={"http_status": "501"}),
}


@pytest.mark.parametrize("why", REFUSALS)
async def test_a_list_stripe_refuses_stops_no_other(
    gateway: StripeGateway,
    pool: Pool,
    account: Account,
    business: Business,
    monkeypatch: pytest.MonkeyPatch,
    why: str,
) -> None:
    await business.post("products", name="Tea")
    refusing(gateway, monkeypatch, "/v1/reviews", REFUSALS[why])
    done = await backfill(gateway, pool, account, objects=["review", "product"])
    assert done["reviews"].refused
    assert (done["reviews"].finished, done["products"].finished, done["products"].objects) == (False, True, 1)
    through = {stream.name: stream.complete_through for stream in (await status(pool, account.id)).streams}
    assert through["reviews"] is None


async def test_what_is_listed_by_a_refused_kind_is_not_complete(
    gateway: StripeGateway, pool: Pool, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusing(gateway, monkeypatch, "/v1/setup_intents", REFUSALS["a right the key has not"])
    done = await backfill(gateway, pool, account, objects=["setup_attempt"])
    assert (done["setup_attempts"].refused, done["setup_attempts"].finished) == ("no right", False)


async def test_a_refused_list_is_read_when_it_is_allowed(
    gateway: StripeGateway, pool: Pool, account: Account, business: Business, monkeypatch: pytest.MonkeyPatch
) -> None:
    await business.post("products", name="Tea")
    with monkeypatch.context() as patched:
        refusing(gateway, patched, "/v1/products", REFUSALS["a right the key has not"])
        await backfill(gateway, pool, account, objects=["product"])
    done = await backfill(gateway, pool, account, objects=["product"])
    assert (done["products"].objects, done["products"].finished) == (1, True)


async def test_no_summary_is_asked_for_without_features(
    gateway: StripeGateway, pool: Pool, account: Account, business: Business, asked: list[str]
) -> None:
    await business.post("customers")
    await backfill(gateway, pool, account)
    assert "/v1/entitlements/active_entitlements" not in asked


async def test_active_entitlements_are_read_where_there_are_features(
    gateway: StripeGateway, pool: Pool, account: Account, business: Business
) -> None:
    product = (await business.post("products", name="Tea"))["id"]
    feature = (await business.post("entitlements/features", name="Export", lookup_key="export"))["id"]
    await business.post(f"products/{product}/features", entitlement_feature=feature)
    recurring = {"interval": "month"}
    price = await business.post("prices", product=product, currency="jpy", unit_amount=900, recurring=recurring)
    entitled = (await business.post("customers"))["id"]
    await business.post("customers", name="entitled to nothing")
    method = (await business.post("payment_methods/pm_card_visa/attach", customer=entitled))["id"]
    await business.post(
        "subscriptions", customer=entitled, items=[{"price": price["id"]}], default_payment_method=method
    )
    await backfill(gateway, pool, account)
    mirror = await mirrored(pool)
    assert [one["feature"] for one in mirror["entitlements.active_entitlement"].values()] == [feature]
    assert set(mirror["entitlements.active_entitlement_summary"]) == {entitled}


async def test_attempts_are_asked_for_only_where_one_was_made(
    gateway: StripeGateway, pool: Pool, account: Account, business: Business, asked: list[str]
) -> None:
    await business.post("setup_intents")
    await backfill(gateway, pool, account, objects=["setup_attempt"])
    assert "/v1/setup_attempts" not in asked


async def test_an_object_that_goes_while_its_list_is_completed_stops_nothing(
    gateway: StripeGateway, pool: Pool, account: Account, business: Business, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = (await business.post("customers"))["id"]
    invoice = (await business.post("invoices", customer=owner, currency="jpy"))["id"]
    for _ in range(11):
        await business.post("invoiceitems", customer=owner, invoice=invoice, amount=1200, currency="jpy")
    gone = NotFound("RESOURCE_NOT_FOUND", "No such invoice", metadata={"stripe_code": "resource_missing"})
    refusing(gateway, monkeypatch, f"/v1/invoices/{invoice}/lines", gone)
    done = await backfill(gateway, pool, account, objects=["invoice"])
    assert (done["invoices"].finished, done["invoices"].objects) == (True, 1)


async def test_mandates_are_found_by_what_refers_to_them(
    gateway: StripeGateway, pool: Pool, account: Account, business: Business
) -> None:
    owner = (await business.post("customers"))["id"]
    agreed = {"mandate_data": {"customer_acceptance": AGREED}, "allowed_payment_method_types": ["us_bank_account"]}
    paid = {"customer": owner, "payment_method": "pm_usBankAccount_success", "confirm": True}
    intent = await business.post("setup_intents", **paid, **agreed)
    await backfill(gateway, pool, account)
    assert set((await mirrored(pool))["mandate"]) == {intent["mandate"]}


async def test_an_unchanged_page_costs_one_query(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    payloads = [{"object": "charge", "id": f"ch_{number}", "amount": 1200, "currency": "jpy"} for number in range(100)]
    asked: list[str] = []
    execute = psycopg.AsyncConnection.execute

    async def counted(self: Any, query: Any, *given: Any, **options: Any) -> Any:
        asked.append(str(query))
        return await execute(self, query, *given, **options)

    monkeypatch.setattr(psycopg.AsyncConnection, "execute", counted)
    async with pool.connection() as connection:
        for second in (1, 2):
            asked.clear()
            states = read_states(payloads, time=second, request_id=f"req_{second}", api_version=API_VERSION)
            written = await write(connection, "acct_1", False, states)
    assert (len(asked), written.count("unchanged")) == (1, 100)

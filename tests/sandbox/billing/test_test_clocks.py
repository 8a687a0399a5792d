"""Test clocks stand still, go forward as far as Stripe lets them, and take along what lives by them."""

from typing import Any

import pytest

from payment_kit.sandbox import Sandbox
from tests.sandbox.billing.subscribers import DAY, START, Shop
from tests.sandbox.memory import ask, pages

CLOCKS = "/v1/test_helpers/test_clocks"


@pytest.fixture
def sandbox() -> Sandbox:
    return Sandbox()


def made(sandbox: Sandbox, frozen: int = 1_800_000_000) -> dict[str, Any]:
    status, body = ask(sandbox, "POST", CLOCKS, {"frozen_time": str(frozen), "name": "Leap"})
    assert status == 200, body
    return dict(body)


def types(sandbox: Sandbox) -> list[str]:
    return [event["type"] for event in reversed(pages(sandbox, "/v1/events"))]


def test_a_clock_stands_where_it_was_set(sandbox: Sandbox) -> None:
    clock = made(sandbox)
    assert (clock["frozen_time"], clock["status"], clock["name"]) == (1_800_000_000, "ready", "Leap")
    assert clock["deletes_after"] == sandbox.now + 30 * DAY
    assert ask(sandbox, "GET", f"{CLOCKS}/{clock['id']}")[1] == clock
    assert pages(sandbox, CLOCKS) == [clock]


def test_advancing_answers_at_once_and_is_ready_when_asked_again(sandbox: Sandbox) -> None:
    clock, to = made(sandbox), 1_800_000_000 + DAY
    status, begun = ask(sandbox, "POST", f"{CLOCKS}/{clock['id']}/advance", {"frozen_time": str(to)})
    assert (status, begun["status"], begun["frozen_time"]) == (200, "advancing", 1_800_000_000)
    assert begun["status_details"] == {"advancing": {"target_frozen_time": to}}
    now = ask(sandbox, "GET", f"{CLOCKS}/{clock['id']}")[1]
    assert (now["status"], now["frozen_time"], now["status_details"]) == ("ready", to, {})
    assert types(sandbox) == [f"test_helpers.test_clock.{name}" for name in ("created", "advancing", "ready")]


@pytest.mark.parametrize("to", [1_800_000_000, 1_800_000_000 - 1, 1_800_000_000 + 3 * 366 * DAY])
def test_a_clock_goes_neither_back_nor_further_than_two_years_when_idle(sandbox: Sandbox, to: int) -> None:
    clock = made(sandbox)
    status, body = ask(sandbox, "POST", f"{CLOCKS}/{clock['id']}/advance", {"frozen_time": str(to)})
    assert (status, body["error"]["param"]) == (400, "frozen_time")


def test_a_deleted_clock_is_gone(sandbox: Sandbox) -> None:
    clock = made(sandbox)
    assert ask(sandbox, "DELETE", f"{CLOCKS}/{clock['id']}")[1] == {
        "id": clock["id"], "object": "test_helpers.test_clock", "deleted": True,
    }  # fmt: skip
    assert ask(sandbox, "GET", f"{CLOCKS}/{clock['id']}")[0] == 404
    assert pages(sandbox, CLOCKS) == []
    assert types(sandbox)[-1] == "test_helpers.test_clock.deleted"


def test_a_clock_deletes_itself_after_thirty_days_of_the_account(sandbox: Sandbox) -> None:
    clock = made(sandbox)
    sandbox.advance_to(sandbox.now + 30 * DAY)
    assert ask(sandbox, "GET", f"{CLOCKS}/{clock['id']}")[0] == 404


def test_a_clock_goes_two_intervals_of_its_shortest_subscription_at_a_time() -> None:
    shop = Shop()
    shop.subscribe(shop.price(1000))
    shop.subscribe(shop.price(300, "week"))
    path = f"{CLOCKS}/{shop.clock}/advance"
    status, body = ask(shop.sandbox, "POST", path, {"frozen_time": str(START + 14 * DAY + 1)})
    assert (status, body["error"]["param"]) == (400, "frozen_time")
    assert ask(shop.sandbox, "POST", path, {"frozen_time": str(START + 14 * DAY)})[0] == 200
    assert [total for _, _, total in shop.amounts()] == [1000, 300, 300, 300]


def test_a_customer_of_a_clock_has_at_most_three_subscriptions() -> None:
    shop = Shop()
    for _ in range(3):
        shop.subscribe(shop.price(1000))
    status, body = shop.call("POST", "subscriptions", customer=shop.customer, items=[{"price": shop.price(1000)}])
    assert (status, body["error"]["param"]) == (400, "customer")


def test_deleting_a_clock_deletes_its_customers_and_ends_their_subscriptions() -> None:
    shop = Shop()
    row = shop.subscribe(shop.price(1000))
    shop.call("DELETE", f"test_helpers/test_clocks/{shop.clock}")
    assert shop.get(f"customers/{shop.customer}") == {"id": shop.customer, "object": "customer", "deleted": True}
    row = shop.again(row)
    assert (row["status"], row["ended_at"]) == ("canceled", START)
    assert shop.call("POST", f"subscriptions/{row['id']}", metadata={"a": "b"})[0] == 200


def test_the_accounts_clock_leaves_what_lives_by_a_test_clock_alone() -> None:
    shop = Shop()
    row = shop.subscribe(shop.price(1000))
    shop.sandbox.advance_to(shop.sandbox.now + 20 * DAY)
    assert shop.again(row) == row
    assert shop.now == START


def test_without_a_test_clock_a_subscription_lives_by_the_accounts_clock() -> None:
    shop = Shop()
    method = shop.post("payment_methods", type="card", card={"token": "tok_visa"})["id"]
    customer = shop.post("customers", payment_method=method, invoice_settings={"default_payment_method": method})
    row = shop.post("subscriptions", customer=customer["id"], items=[{"price": shop.price(1000)}])
    assert row["created"] == shop.sandbox.now
    shop.sandbox.advance_to(shop.sandbox.now + 31 * DAY + 3600)
    paid = pages(shop.sandbox, "/v1/invoices", {"customer": customer["id"]})
    assert [(invoice["status"], invoice["total"]) for invoice in paid] == [("paid", 1000), ("paid", 1000)]


def test_lists_stay_in_the_order_of_creation_when_clocks_differ() -> None:
    shop = Shop()
    shop.subscribe(shop.price(1000))
    shop.advance(31 * DAY + 7200)
    for _ in range(3):
        shop.sandbox.advance_to(shop.sandbox.now + DAY)
        shop.post("payment_intents", amount=700, currency="usd")
        shop.post("customers", name="now")
    for path in ("customers", "payment_intents", "events"):
        found = pages(shop.sandbox, f"/v1/{path}", {"limit": "3"})
        created = [row["created"] for row in found]
        assert created == sorted(created, reverse=True)
        assert len({row["id"] for row in found}) == len(found)


def test_what_falls_due_happens_in_the_order_of_time() -> None:
    shop = Shop()
    shop.subscribe(shop.price(1000), trial_period_days=10)
    shop.subscribe(shop.price(300, "week"))
    begun = len(shop.events(""))
    shop.advance(14 * DAY)
    fresh = list(shop.sandbox.store.rows("event"))[begun:]
    created = [event["created"] for event in fresh if not event["type"].startswith("test_helpers")]
    assert created == sorted(created)
    assert created[0] == START + 3 * DAY


def test_a_payment_by_a_customer_on_a_clock_goes_on_living_by_it(sandbox: Sandbox) -> None:
    """What was changed once more in the request that made it forgot its clock, and its later events came too early."""
    clock = made(sandbox)
    _, customer = ask(sandbox, "POST", "/v1/customers", {"test_clock": clock["id"]})
    paid = {"amount": "500", "currency": "usd", "customer": customer["id"], "payment_method": "pm_card_visa",
            "confirm": "true", "allowed_payment_method_types[]": "card"}  # fmt: skip
    status, intent = ask(sandbox, "POST", "/v1/payment_intents", paid)
    assert status == 200, intent
    path = f"/v1/charges/{intent['latest_charge']}"
    assert ask(sandbox, "POST", path, {"description": "Later"})[1]["created"] == clock["frozen_time"]
    told = [event["created"] for event in pages(sandbox, "/v1/events") if event["type"].startswith("charge.")]
    assert set(told) == {clock["frozen_time"]}

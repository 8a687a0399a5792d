"""Payment links: made, changed and listed; each visit is a session of its own."""

from typing import Any

import pytest

from tests.sandbox.checkout.shop import Shop
from tests.sandbox.spec import problems

DAY = 86_400


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.mark.parametrize(("currency", "amount"), [("usd", 1250), ("jpy", 300), ("kwd", 12_500)])
def test_a_visitor_buys_what_the_link_sells(shop: Shop, currency: str, amount: int) -> None:
    link = shop.post(
        "payment_links", line_items=[{"price": shop.price(amount, currency), "quantity": 2}], metadata={"shelf": "4"},
        payment_intent_data={"description": "Tea"},
    )  # fmt: skip
    assert problems(link) == []
    assert (link["active"], link["currency"]) == (True, currency)
    session = shop.visit(f"payment_links/{link['id']}/checkout")
    assert (session["payment_link"], session["metadata"], session["amount_total"]) == (
        link["id"], {"shelf": "4"}, 2 * amount
    )  # fmt: skip
    done = shop.complete(session)
    assert done["payment_status"] == "paid"
    assert shop.get(f"payment_intents/{done['payment_intent']}")["description"] == "Tea"
    assert [row["id"] for row in shop.get("checkout/sessions", payment_link=link["id"])["data"]] == [session["id"]]


def test_a_link_with_a_recurring_price_subscribes(shop: Shop) -> None:
    made = {"currency": "eur", "unit_amount": 900, "product_data": {"name": "Tea"}, "recurring": {"interval": "month"}}
    link = shop.post(
        "payment_links", line_items=[{"price_data": made, "quantity": 1}], subscription_data={"trial_period_days": 7},
        after_completion={"type": "redirect", "redirect": {"url": "https://shop.test/done"}},
    )  # fmt: skip
    assert problems(link) == []
    done = shop.complete(shop.visit(f"payment_links/{link['id']}/checkout"))
    assert done["success_url"] == "https://shop.test/done"
    subscription = shop.get(f"subscriptions/{done['subscription']}")
    assert (subscription["status"], subscription["items"]["data"][0]["price"]["unit_amount"]) == ("trialing", 900)


def test_an_inactive_link_turns_visitors_away_with_its_own_words(shop: Shop) -> None:
    link = shop.post("payment_links", line_items=[{"price": shop.price(500), "quantity": 1}])
    changed = shop.post(f"payment_links/{link['id']}", active=False, inactive_message="Sold out")
    assert problems(changed) == []
    assert shop.turned_away(f"payment_links/{link['id']}/checkout") == "Sold out"
    assert shop.types("payment_link") == ["payment_link.created", "payment_link.updated"]


def test_a_link_closes_when_its_last_one_is_sold(shop: Shop) -> None:
    link = shop.post(
        "payment_links", line_items=[{"price": shop.price(500), "quantity": 1}],
        restrictions={"completed_sessions": {"limit": 2}},
    )  # fmt: skip
    visits = [shop.visit(f"payment_links/{link['id']}/checkout") for _ in range(3)]
    shop.complete(visits[0])
    assert shop.get(f"payment_links/{link['id']}")["active"] is True
    shop.complete(visits[1])
    closed = shop.get(f"payment_links/{link['id']}")
    assert (closed["active"], closed["restrictions"]["completed_sessions"]["count"]) == (False, 2)
    assert "no longer active" in shop.turned_away(f"payment_links/{link['id']}/checkout")


def test_items_are_shown_only_when_asked_for(shop: Shop) -> None:
    price = shop.price(500)
    link = shop.post("payment_links", line_items=[{"price": price, "quantity": 3}])
    assert "line_items" not in link
    (item,) = shop.get(f"payment_links/{link['id']}/line_items")["data"]
    assert (item["price"]["id"], item["quantity"], item["amount_total"]) == (price, 3, 1500)
    shown = shop.get(f"payment_links/{link['id']}", expand=["line_items"])
    assert shown["line_items"]["data"] == [item]


def test_links_are_listed_by_activity(shop: Shop) -> None:
    line = {"price": shop.price(500), "quantity": 1}
    on, off = (shop.post("payment_links", line_items=[line])["id"] for _ in range(2))
    shop.post(f"payment_links/{off}", active=False)
    assert [row["id"] for row in shop.get("payment_links", active=True)["data"]] == [on]
    assert [row["id"] for row in shop.get("payment_links", active=False)["data"]] == [off]


@pytest.mark.parametrize(
    ("interval", "name", "value"),
    [
        (None, "subscription_data", {"trial_period_days": 3}),
        ("month", "payment_intent_data", {"description": "x"}),
        ("month", "customer_creation", "always"),
        (None, "custom_fields", [{"key": "a"}]),
        (None, "currency", "kwd"),
    ],
)
def test_what_does_not_belong_to_the_kind_of_link_is_refused(
    shop: Shop, interval: str | None, name: str, value: Any
) -> None:
    line = {"price": shop.price(500, interval=interval), "quantity": 1}
    assert shop.refused("payment_links", line_items=[line], **{name: value})["param"] == name

"""A customer has the features of the products he is subscribed to, and every change of the set is told."""

from typing import Any

import pytest

from tests.sandbox.billing.subscribers import DAY, Shop
from tests.sandbox.memory import pages

SUMMARY = "entitlements.active_entitlement_summary.updated"


class _Club(Shop):
    """A shop whose product has a feature."""

    def __init__(self) -> None:
        super().__init__()
        self.export = self.attach(self.product, "export")

    def attach(self, product: str, key: str) -> str:
        """The id of the attachment of a new feature."""
        feature = self.post("entitlements/features", name=key, lookup_key=key)["id"]
        return str(self.post(f"products/{product}/features", entitlement_feature=feature)["id"])

    def keys(self) -> set[str]:
        """The lookup keys of what the customer may do."""
        rows = self.get("entitlements/active_entitlements", customer=self.customer)["data"]
        return {row["lookup_key"] for row in rows}

    def told(self) -> list[set[str]]:
        """The sets the events told, oldest first."""
        events = [row["data"]["object"] for row in self.sandbox.store.rows("event") if row["type"] == SUMMARY]
        assert {row["customer"] for row in events} <= {self.customer}
        return [{one["lookup_key"] for one in row["entitlements"]["data"]} for row in events]


@pytest.fixture
def club() -> _Club:
    """A club with a customer who is not subscribed yet."""
    return _Club()


def test_a_subscription_entitles_to_the_features_of_its_products_until_it_ends(club: _Club) -> None:
    assert club.keys() == set()
    subscription = club.subscribe(club.price(900))
    assert club.keys() == {"export"}
    club.call("DELETE", f"subscriptions/{subscription['id']}")
    assert club.keys() == set()
    assert club.told() == [{"export"}, set()]


def test_an_event_tells_the_set_before_and_the_time_of_the_customers_clock(club: _Club) -> None:
    subscription = club.subscribe(club.price(900))
    club.advance(3 * DAY)
    club.call("DELETE", f"subscriptions/{subscription['id']}")
    (first, last) = pages(club.sandbox, "/v1/events", {"type": SUMMARY})[::-1]
    assert first["data"]["previous_attributes"] == {"entitlements": {"data": []}}
    assert (
        last["data"]["previous_attributes"]["entitlements"]["data"] == first["data"]["object"]["entitlements"]["data"]
    )
    assert last["created"] - first["created"] == 3 * DAY


def test_an_unpaid_beginning_entitles_to_nothing_and_its_payment_to_all() -> None:
    club = _Club()
    club.pay_with("pm_card_chargeCustomerFail")
    subscription = club.subscribe(club.price(900))
    assert (subscription["status"], club.keys()) == ("incomplete", set())
    club.pay_with("pm_card_visa")
    club.post(f"invoices/{subscription['latest_invoice']}/pay")
    assert club.keys() == {"export"}


def test_two_subscriptions_to_a_feature_entitle_once_and_until_both_ended(club: _Club) -> None:
    first, second = club.subscribe(club.price(900)), club.subscribe(club.price(1900))
    (entitlement,) = club.get("entitlements/active_entitlements", customer=club.customer)["data"]
    club.call("DELETE", f"subscriptions/{first['id']}")
    assert club.get(f"entitlements/active_entitlements/{entitlement['id']}") == entitlement
    club.call("DELETE", f"subscriptions/{second['id']}")
    assert club.call("GET", f"entitlements/active_entitlements/{entitlement['id']}")[0] == 404
    assert club.told() == [{"export"}, set()]


def test_another_item_brings_its_products_features_and_takes_them_along(club: _Club) -> None:
    subscription = club.subscribe(club.price(900))
    extra = club.post("products", name="Support")["id"]
    club.attach(extra, "support")
    price = club.post("prices", product=extra, currency="usd", unit_amount=100, recurring={"interval": "month"})["id"]
    item = club.post("subscription_items", subscription=subscription["id"], price=price)["id"]
    assert club.keys() == {"export", "support"}
    club.call("DELETE", f"subscription_items/{item}")
    assert club.told() == [{"export"}, {"export", "support"}, {"export"}]


def test_a_product_that_gains_or_loses_a_feature_tells_its_subscribers(club: _Club) -> None:
    club.subscribe(club.price(900))
    club.advance(3 * DAY)
    club.attach(club.product, "seats")
    assert club.last(SUMMARY)["created"] == club.now
    club.call("DELETE", f"products/{club.product}/features/{club.export}")
    assert club.told() == [{"export"}, {"export", "seats"}, {"seats"}]
    assert club.keys() == {"seats"}


def test_what_changes_no_entitlement_tells_nothing(club: _Club) -> None:
    subscription = club.subscribe(club.price(900))
    club.post(f"subscriptions/{subscription['id']}", metadata={"a": "1"})
    club.advance(40 * DAY)
    assert club.told() == [{"export"}]


def test_more_than_ten_entitlements_are_told_in_part_and_listed_whole(club: _Club) -> None:
    for at in range(11):
        club.attach(club.product, f"f{at}")
    club.subscribe(club.price(900))
    summary: dict[str, Any] = club.last(SUMMARY)["data"]["object"]["entitlements"]
    assert (len(summary["data"]), summary["has_more"]) == (10, True)
    rows = pages(club.sandbox, "/v1/entitlements/active_entitlements", {"customer": club.customer})
    assert len(rows) == 12


def test_a_feature_is_expanded_in_the_list(club: _Club) -> None:
    club.subscribe(club.price(900))
    (row,) = club.get("entitlements/active_entitlements", customer=club.customer, expand=["data.feature"])["data"]
    assert row["feature"]["object"] == "entitlements.feature"

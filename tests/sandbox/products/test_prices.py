"""Prices over the API: what they cost in every way Stripe has, and how they are found."""

from typing import Any

import pytest

from payment_kit.sandbox import Sandbox
from payment_kit.sandbox.products import pricing
from tests.sandbox.acts import get, post, refused
from tests.sandbox.memory import ask, pages

TIERS = {
    "billing_scheme": "tiered",
    "tiers_mode": "graduated",
    "tiers[0][up_to]": "5",
    "tiers[0][unit_amount]": "700",
    "tiers[1][up_to]": "inf",
    "tiers[1][unit_amount_decimal]": "650.5",
    "tiers[1][flat_amount]": "100",
}
MONTHLY = {"recurring[interval]": "month"}


@pytest.fixture
def shop() -> Sandbox:
    """A sandbox with one product."""
    sandbox = Sandbox()
    post(sandbox, "products", id="tea", name="Tea")
    return sandbox


def price(shop: Sandbox, **data: str) -> dict[str, Any]:
    made: dict[str, Any] = post(shop, "prices", product="tea", **{"currency": "usd", **data})
    return made


def test_tiers_appear_only_when_expanded_and_price_what_they_say(shop: Sandbox) -> None:
    made = price(shop, **TIERS)
    assert (made["unit_amount"], made["unit_amount_decimal"], made["tiers_mode"]) == (None, None, "graduated")
    assert "tiers" not in made
    expanded = get(shop, f"prices/{made['id']}", **{"expand[]": "tiers"})
    assert [(tier["up_to"], tier["unit_amount"], tier["flat_amount"]) for tier in expanded["tiers"]] == [
        (5, 700, None),
        (None, None, 100),
    ]
    (listed,) = get(shop, "prices", **{"expand[]": "data.tiers"})["data"]
    assert listed["tiers"] == expanded["tiers"]
    row = shop.store.get("price", made["id"])
    assert row is not None
    assert pricing.amount(row, 8) == 5 * 700 + 100 + 1952


@pytest.mark.parametrize(
    ("data", "param"),
    [
        ({}, "unit_amount"),
        ({"unit_amount": "1", "unit_amount_decimal": "1"}, "unit_amount"),
        ({"unit_amount": "-1"}, "unit_amount"),
        ({"unit_amount": "1005", "currency": "kwd"}, "unit_amount"),
        ({"unit_amount_decimal": "1.0000000000001"}, "unit_amount_decimal"),
        ({**TIERS, "unit_amount": "1"}, "unit_amount"),
        ({**TIERS, "tiers_mode": ""}, "tiers_mode"),
        ({"unit_amount": "1", "tiers_mode": "volume"}, "tiers_mode"),
        ({"billing_scheme": "tiered", "tiers_mode": "volume"}, "tiers"),
        ({**TIERS, "tiers[1][up_to]": "9"}, "tiers[1][up_to]"),
        ({**TIERS, "tiers[0][up_to]": "inf"}, "tiers[0][up_to]"),
        ({**TIERS, "tiers[0][up_to]": "0"}, "tiers[0][up_to]"),
        ({**TIERS, "tiers[0][unit_amount_decimal]": "1"}, "tiers[0][unit_amount]"),
        ({**TIERS, "transform_quantity[divide_by]": "2", "transform_quantity[round]": "up"}, "transform_quantity"),
        ({"unit_amount": "1", "transform_quantity[divide_by]": "0", "transform_quantity[round]": "up"},
         "transform_quantity[divide_by]"),
        ({"unit_amount": "1", "recurring[interval]": "month", "recurring[interval_count]": "37"},
         "recurring[interval_count]"),
        ({"unit_amount": "1", "recurring[interval]": "month", "recurring[usage_type]": "metered"}, "recurring[meter]"),
        ({"unit_amount": "1", "recurring[interval]": "month", "recurring[meter]": "mtr_x"}, "recurring[meter]"),
        ({"custom_unit_amount[enabled]": "false"}, "custom_unit_amount[enabled]"),
        ({"custom_unit_amount[enabled]": "true", **MONTHLY}, "custom_unit_amount"),
        ({"custom_unit_amount[enabled]": "true", "custom_unit_amount[minimum]": "5", "custom_unit_amount[preset]": "4"},
         "custom_unit_amount[preset]"),
        ({"unit_amount": "1", "currency_options[usd][unit_amount]": "1"}, "currency_options[usd]"),
        ({"unit_amount": "1", "currency_options[eur][tax_behavior]": "inclusive"},
         "currency_options[eur][unit_amount]"),
        ({"unit_amount": "1", "currency_options[kwd][unit_amount]": "5"}, "currency_options[kwd][unit_amount]"),
        ({"unit_amount": "1", "lookup_key": "x" * 201}, "lookup_key"),
        ({"unit_amount": "1", "product_data[name]": "Other"}, "product_data"),
    ],
)  # fmt: skip
def test_a_price_that_cannot_be_is_refused(shop: Sandbox, data: dict[str, str], param: str) -> None:
    assert refused(shop, "prices", product="tea", **{"currency": "usd", **data})["param"] == param


@pytest.mark.parametrize(
    ("decimal", "whole", "shown"),
    [("10", 10, "10"), ("10.50", None, "10.5"), ("010.000", 10, "10"), ("0.000000000001", None, "0.000000000001"),
     ("0.0", 0, "0")],
)  # fmt: skip
def test_a_decimal_that_is_whole_is_an_amount_too(shop: Sandbox, decimal: str, whole: int | None, shown: str) -> None:
    made = price(shop, unit_amount_decimal=decimal)
    assert (made["unit_amount"], made["unit_amount_decimal"]) == (whole, shown)


def test_currency_options_contain_the_own_currency_and_grow(shop: Sandbox) -> None:
    made = price(shop, unit_amount="1000", **{"currency_options[jpy][unit_amount]": "1500"})
    assert "currency_options" not in made
    more = {"currency_options[kwd][unit_amount_decimal]": "3070.5", "expand[]": "currency_options"}
    options = post(shop, f"prices/{made['id']}", **more)["currency_options"]
    assert {code: option["unit_amount_decimal"] for code, option in options.items()} == {
        "usd": "1000", "jpy": "1500", "kwd": "3070.5",
    }  # fmt: skip
    alone = post(shop, f"prices/{made['id']}", **{"currency_options": "", "expand[]": "currency_options"})
    assert set(alone["currency_options"]) == {"usd"}


def test_tiers_have_other_amounts_in_other_currencies(shop: Sandbox) -> None:
    made = price(shop, **TIERS, **{"currency_options[jpy][tiers][0][up_to]": "inf",
                                   "currency_options[jpy][tiers][0][unit_amount]": "900"})  # fmt: skip
    row = shop.store.get("price", made["id"])
    assert row is not None
    assert [pricing.amount(row, 2, code) for code in ("usd", "jpy")] == [1400, 1800]


def test_what_the_payer_chooses_has_bounds(shop: Sandbox) -> None:
    made = price(shop, **{"custom_unit_amount[enabled]": "true", "custom_unit_amount[minimum]": "500"})
    assert made["custom_unit_amount"] == {"maximum": None, "minimum": 500, "preset": None}
    assert made["unit_amount"] is None


def test_a_metered_price_has_an_active_meter(shop: Sandbox) -> None:
    meter = post(shop, "billing/meters", display_name="Calls", event_name="calls",
                 **{"default_aggregation[formula]": "sum"})["id"]  # fmt: skip
    metered = {**MONTHLY, "recurring[usage_type]": "metered", "recurring[meter]": meter}
    made = price(shop, unit_amount_decimal="0.25", **metered)
    price(shop, unit_amount="5", **MONTHLY)
    assert made["recurring"] == {"interval": "month", "interval_count": 1, "meter": meter, "usage_type": "metered"}
    for wanted in ({"recurring[meter]": meter}, {"recurring[usage_type]": "metered"}):
        assert [row["id"] for row in pages(shop, "/v1/prices", wanted)] == [made["id"]]
    post(shop, f"billing/meters/{meter}/deactivate")
    assert (
        refused(shop, "prices", product="tea", currency="usd", unit_amount="1", **metered)["param"]
        == "recurring[meter]"
    )


def test_a_lookup_key_is_used_once_and_can_be_taken_over(shop: Sandbox) -> None:
    old = price(shop, unit_amount="5", lookup_key="tea_monthly")
    again = {"product": "tea", "currency": "usd", "unit_amount": "6", "lookup_key": "tea_monthly"}
    assert refused(shop, "prices", **again)["param"] == "lookup_key"
    new = post(shop, "prices", **again, transfer_lookup_key="true")
    assert get(shop, f"prices/{old['id']}")["lookup_key"] is None
    assert [row["id"] for row in pages(shop, "/v1/prices", {"lookup_keys[]": "tea_monthly"})] == [new["id"]]
    assert post(shop, f"prices/{new['id']}", lookup_key="tea_monthly")["lookup_key"] == "tea_monthly"
    assert post(shop, f"prices/{new['id']}", lookup_key="")["lookup_key"] is None


def test_tax_behavior_is_decided_once(shop: Sandbox) -> None:
    made = price(shop, unit_amount="5")
    assert post(shop, f"prices/{made['id']}", tax_behavior="inclusive")["tax_behavior"] == "inclusive"
    assert refused(shop, f"prices/{made['id']}", tax_behavior="exclusive")["param"] == "tax_behavior"


def test_lists_have_active_prices_and_inactive_ones_on_demand(shop: Sandbox) -> None:
    active, archived = price(shop, unit_amount="5"), price(shop, unit_amount="6", active="false")
    assert [row["id"] for row in pages(shop, "/v1/prices")] == [active["id"]]
    assert [row["id"] for row in pages(shop, "/v1/prices", {"active": "false"})] == [archived["id"]]


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        ({"type": "recurring"}, ["month"]),
        ({"recurring[interval]": "month"}, ["month"]),
        ({"recurring[interval]": "year"}, []),
        ({"currency": "jpy"}, ["yen"]),
        ({"product": "tea", "type": "one_time"}, ["yen"]),
        ({"product": "air"}, []),
    ],
)
def test_prices_are_filtered(shop: Sandbox, asked: dict[str, str], wanted: list[str]) -> None:
    post(shop, "products", id="air", name="Air")
    price(shop, unit_amount="500", currency="jpy", nickname="yen")
    price(shop, unit_amount="500", nickname="month", **MONTHLY)
    assert [row["nickname"] for row in pages(shop, "/v1/prices", asked)] == wanted


def test_a_default_price_is_not_archived(shop: Sandbox) -> None:
    data = {"default_price_data[currency]": "usd", "default_price_data[unit_amount]": "5"}
    made = post(shop, "products", name="Air", **data)
    assert "default price" in refused(shop, f"prices/{made['default_price']}", active="false")["message"]


@pytest.mark.parametrize(
    ("data", "param"),
    [
        ({"statement_descriptor": "x" * 23}, "statement_descriptor"),
        ({"statement_descriptor": "a<b"}, "statement_descriptor"),
        ({"unit_label": "x" * 13}, "unit_label"),
        ({"package_dimensions[height]": "1"}, "package_dimensions[length]"),
        ({f"images[{at}]": "https://a.test/b" for at in range(9)}, "images"),
    ],
)
def test_a_product_that_cannot_be_is_refused(data: dict[str, str], param: str) -> None:
    assert refused(Sandbox(), "products", name="Air", **data)["param"] == param


def test_a_product_has_dimensions_and_features() -> None:
    sandbox = Sandbox()
    sides = {f"package_dimensions[{side}]": "2.5" for side in ("height", "length", "weight", "width")}
    made = post(sandbox, "products", name="Box", **sides, **{"marketing_features[0][name]": "Square"})
    assert made["package_dimensions"] == dict.fromkeys(("height", "length", "weight", "width"), 2.5)
    assert made["marketing_features"] == [{"name": "Square"}]
    assert post(sandbox, f"products/{made['id']}", package_dimensions="")["package_dimensions"] is None
    assert refused(sandbox, f"products/{made['id']}", name="")["param"] == "name"
    assert ask(sandbox, "DELETE", f"/v1/products/{made['id']}")[0] == 200

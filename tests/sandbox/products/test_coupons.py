"""Coupons, promotion codes and tax rates over the API."""

import pytest

from payment_kit.sandbox import Sandbox
from tests.sandbox.acts import DAY, get, post, refused, types
from tests.sandbox.memory import ask, pages

CODE = {"promotion[type]": "coupon", "promotion[coupon]": "TEN"}


@pytest.fixture
def shop() -> Sandbox:
    """A sandbox with one coupon."""
    sandbox = Sandbox()
    post(sandbox, "coupons", id="TEN", percent_off="10")
    return sandbox


def test_a_coupon_has_its_own_id_or_a_made_up_one(shop: Sandbox) -> None:
    made = post(shop, "coupons", amount_off="150", currency="jpy", duration="forever", name="Less")
    assert len(made["id"]) == 8
    assert (made["amount_off"], made["currency"], made["percent_off"], made["duration"]) == (
        150,
        "jpy",
        None,
        "forever",
    )
    assert refused(shop, "coupons", id="TEN", percent_off="5")["code"] == "resource_already_exists"


def test_a_percentage_is_shown_as_a_number(shop: Sandbox) -> None:
    assert post(shop, "coupons", percent_off="33.33")["percent_off"] == 33.33
    assert str(get(shop, "coupons/TEN")["percent_off"]) == "10"


@pytest.mark.parametrize(
    ("data", "param"),
    [
        ({}, "percent_off"),
        ({"percent_off": "10", "amount_off": "10", "currency": "usd"}, "percent_off"),
        ({"percent_off": "0"}, "percent_off"),
        ({"percent_off": "100.5"}, "percent_off"),
        ({"percent_off": "1e1"}, "percent_off"),
        ({"amount_off": "10"}, "currency"),
        ({"percent_off": "10", "duration": "repeating"}, "duration_in_months"),
        ({"percent_off": "10", "duration_in_months": "3"}, "duration_in_months"),
        ({"percent_off": "10", "max_redemptions": "0"}, "max_redemptions"),
        ({"percent_off": "10", "redeem_by": "5"}, "redeem_by"),
        ({"percent_off": "10", "currency_options[eur][amount_off]": "5"}, "currency_options"),
        ({"percent_off": "10", "applies_to[products][]": "prod_none"}, "applies_to[products][0]"),
        ({"percent_off": "10", "name": "x" * 41}, "name"),
    ],
)
def test_a_coupon_that_cannot_be_is_refused(shop: Sandbox, data: dict[str, str], param: str) -> None:
    assert refused(shop, "coupons", **data)["param"] == param


def test_amounts_in_more_currencies_appear_when_expanded(shop: Sandbox) -> None:
    made = post(
        shop, "coupons", id="FIVE", amount_off="500", currency="usd", **{"currency_options[kwd][amount_off]": "1500"}
    )
    assert "currency_options" not in made
    more = post(shop, "coupons/FIVE", **{"currency_options[jpy][amount_off]": "700", "expand[]": "currency_options"})
    assert {code: option["amount_off"] for code, option in more["currency_options"].items()} == {
        "usd": 500, "kwd": 1500, "jpy": 700,
    }  # fmt: skip
    assert "currency_options" not in get(shop, "coupons/TEN", **{"expand[]": "currency_options"})


def test_only_name_and_metadata_of_a_coupon_change(shop: Sandbox) -> None:
    changed = post(shop, "coupons/TEN", name="Ten off", **{"metadata[a]": "1"})
    assert (changed["name"], changed["metadata"]) == ("Ten off", {"a": "1"})
    assert post(shop, "coupons/TEN", name="")["name"] is None
    assert refused(shop, "coupons/TEN", percent_off="20")["code"] == "parameter_unknown"


def test_a_deleted_coupon_leaves_a_tombstone_and_its_id(shop: Sandbox) -> None:
    code = post(shop, "promotion_codes", code="TEN", **CODE)["id"]
    assert ask(shop, "DELETE", "/v1/coupons/TEN")[1] == {"id": "TEN", "object": "coupon", "deleted": True}
    assert ask(shop, "GET", "/v1/coupons/TEN")[0] == 404
    assert pages(shop, "/v1/coupons") == []
    assert get(shop, f"promotion_codes/{code}")["active"] is False
    assert post(shop, "coupons", id="TEN", percent_off="20")["percent_off"] == 20


def test_the_clock_ends_coupons_and_codes(shop: Sandbox) -> None:
    soon = str(shop.now + DAY)
    post(shop, "coupons", id="SOON", percent_off="10", redeem_by=soon)
    one = post(shop, "promotion_codes", code="one", **{**CODE, "promotion[coupon]": "SOON"})["id"]
    two = post(shop, "promotion_codes", code="two", expires_at=soon, **CODE)["id"]
    shop.advance_to(shop.now + 2 * DAY)
    assert get(shop, "coupons/SOON")["valid"] is False
    assert [get(shop, f"promotion_codes/{code}")["active"] for code in (one, two)] == [False, False]
    assert refused(shop, f"promotion_codes/{two}", active="true")["param"] == "active"
    assert "promotion_code.updated" in types(shop, "promotion_code")


def test_a_code_is_unique_among_active_ones_in_any_case(shop: Sandbox) -> None:
    first = post(shop, "promotion_codes", code="Summer-26", **CODE)
    assert refused(shop, "promotion_codes", code="SUMMER-26", **CODE)["param"] == "code"
    post(shop, f"promotion_codes/{first['id']}", active="false")
    second = post(shop, "promotion_codes", code="SUMMER-26", **CODE)
    assert refused(shop, f"promotion_codes/{first['id']}", active="true")["param"] == "code"
    assert [row["id"] for row in pages(shop, "/v1/promotion_codes", {"code": "summer-26", "active": "true"})] == [
        second["id"]
    ]


def test_codes_of_two_customers_may_be_the_same(shop: Sandbox) -> None:
    ada, bob = post(shop, "customers")["id"], post(shop, "customers")["id"]
    for customer in (ada, bob):
        post(shop, "promotion_codes", code="MINE", customer=customer, **CODE)
    assert refused(shop, "promotion_codes", code="mine", customer=ada, **CODE)["param"] == "code"
    assert len(pages(shop, "/v1/promotion_codes", {"customer": ada})) == 1
    assert len(pages(shop, "/v1/promotion_codes", {"coupon": "TEN"})) == 2


@pytest.mark.parametrize(
    ("data", "param"),
    [
        ({"promotion[type]": "coupon"}, "promotion[coupon]"),
        ({"promotion[type]": "coupon", "promotion[coupon]": "NONE"}, "promotion[coupon]"),
        ({**CODE, "code": "no spaces"}, "code"),
        ({**CODE, "expires_at": "5"}, "expires_at"),
        ({**CODE, "max_redemptions": "0"}, "max_redemptions"),
        ({**CODE, "customer": "cus_none"}, "customer"),
        ({**CODE, "restrictions[minimum_amount]": "5"}, "restrictions[minimum_amount_currency]"),
        ({**CODE, "restrictions[currency_options][eur][minimum_amount]": "5"}, "restrictions[minimum_amount]"),
        ({"coupon": "TEN"}, "coupon"),
    ],
)
def test_a_promotion_code_that_cannot_be_is_refused(shop: Sandbox, data: dict[str, str], param: str) -> None:
    assert refused(shop, "promotion_codes", **data)["param"] == param


def test_a_code_cannot_outlast_its_coupon(shop: Sandbox) -> None:
    post(shop, "coupons", id="TWO", percent_off="10", max_redemptions="2", redeem_by=str(shop.now + DAY))
    two = {**CODE, "promotion[coupon]": "TWO"}
    assert refused(shop, "promotion_codes", max_redemptions="3", **two)["param"] == "max_redemptions"
    assert refused(shop, "promotion_codes", expires_at=str(shop.now + 2 * DAY), **two)["param"] == "expires_at"


def test_a_code_expands_to_its_coupon_and_minimums(shop: Sandbox) -> None:
    made = post(
        shop,
        "promotion_codes",
        **CODE,
        **{
            "restrictions[minimum_amount]": "500",
            "restrictions[minimum_amount_currency]": "usd",
            "restrictions[currency_options][jpy][minimum_amount]": "800",
            "expand[0]": "promotion.coupon",
            "expand[1]": "restrictions.currency_options",
        },
    )
    assert (len(made["code"]), made["promotion"]["coupon"]["percent_off"]) == (8, 10)
    assert made["restrictions"]["currency_options"] == {"usd": {"minimum_amount": 500}, "jpy": {"minimum_amount": 800}}


def test_a_tax_rate_is_archived_and_keeps_its_percentage() -> None:
    sandbox = Sandbox()
    rate = post(
        sandbox, "tax_rates", display_name="USt", inclusive="true", percentage="19", country="DE", tax_type="vat"
    )
    sales = post(sandbox, "tax_rates", display_name="Sales", inclusive="false", percentage="8.875", state="NY")
    assert (rate["percentage"], rate["inclusive"], sales["percentage"], rate["active"]) == (19, True, 8.875, True)
    archived = post(sandbox, f"tax_rates/{rate['id']}", active="false", **{"metadata[a]": "1"})
    assert (archived["active"], archived["metadata"]) == (False, {"a": "1"})
    assert refused(sandbox, f"tax_rates/{rate['id']}", percentage="7")["code"] == "parameter_unknown"
    assert refused(sandbox, f"tax_rates/{rate['id']}", display_name="")["param"] == "display_name"
    assert ask(sandbox, "DELETE", f"/v1/tax_rates/{rate['id']}")[0] == 501
    assert [row["id"] for row in pages(sandbox, "/v1/tax_rates", {"active": "true"})] == [sales["id"]]
    assert [row["id"] for row in pages(sandbox, "/v1/tax_rates", {"inclusive": "true"})] == [rate["id"]]
    assert types(sandbox, "tax_rate") == ["tax_rate.created", "tax_rate.created", "tax_rate.updated"]


@pytest.mark.parametrize("percentage", ["-1", "101", "x", "1.23456", ""])
def test_a_tax_rate_has_a_percentage(percentage: str) -> None:
    data = {"display_name": "T", "inclusive": "true", "percentage": percentage}
    assert refused(Sandbox(), "tax_rates", **data)["param"] == "percentage"


def test_a_coupon_that_runs_beyond_the_calendar_is_refused(shop: Sandbox) -> None:
    error = refused(shop, "coupons", percent_off="5", duration="repeating", duration_in_months="1000000000")
    assert error["param"] == "duration_in_months"

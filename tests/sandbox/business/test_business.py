"""Businesses as files: what they may say, and what an error tells whoever wrote one."""

from pathlib import Path

import pytest

from payment_kit.sandbox.business import BusinessError, names, read

TINY = """
[business]
title = "Tiny"
start = 2026-01-01
months = 1
[customers]
first_month = 3
currencies = { usd = 1 }
[[plans]]
name = "Basic"
interval = "month"
price = { usd = 900 }
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "tiny.toml"


@pytest.mark.parametrize("name", names())
def test_every_ready_business_can_be_read(name: str) -> None:
    business = read(name)
    assert business.title
    assert {plan.name for plan in business.plans} or {good.name for good in business.goods}


def test_the_ready_ones_have_currencies_without_and_with_three_decimals() -> None:
    currencies = {code for name in names() for code in read(name).currencies}
    assert {"usd", "eur", "jpy", "kwd"} <= currencies


def test_a_file_of_ones_own_can_be_read(file: Path) -> None:
    file.write_text(TINY)
    business = read(str(file))
    assert (business.title, business.months, business.plans[0].price) == ("Tiny", 1, {"usd": 900})


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("months = 1", "months = 0", "business.months must be from 1 to 120, not 0"),
        ("months = 1", "months = 1.5", "business.months must be a whole number"),
        ("months = 1\n", "", "business.months is missing"),
        ("months = 1", "months = 1\nmoths = 2", "business.moths is not known"),
        ('interval = "month"', 'interval = "moon"', "must be one of week, month, year"),
        ("price = { usd = 900 }", "price = { eur = 900 }", "Basic has no price in usd"),
        ("price = { usd = 900 }", "price = { usd = 9.5 }", r"plans\[1\].price.usd must be a whole number"),
        ("currencies = { usd = 1 }", "currencies = { USD = 1 }", "three-letter currencies in lower case"),
        ("[customers]", "[troubles]\nfire = 3\n[customers]", "troubles: known are declined"),
        ("[business]", "[business", "is not TOML"),
    ],
)
def test_what_a_file_cannot_say_is_named(file: Path, old: str, new: str, says: str) -> None:
    assert old in TINY
    file.write_text(TINY.replace(old, new))
    with pytest.raises(BusinessError, match=says):
        read(str(file))


def test_an_unknown_name_lists_the_ready_ones() -> None:
    with pytest.raises(BusinessError, match=r"name one of saas, shop, smoke, or a \.toml file"):
        read("nothing")


def test_a_file_that_is_not_there_is_called_so(tmp_path: Path) -> None:
    with pytest.raises(BusinessError, match="There is no file"):
        read(str(tmp_path / "gone.toml"))


def test_a_file_that_is_not_text_is_called_so(file: Path) -> None:
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BusinessError, match="is not TOML"):
        read(str(file))

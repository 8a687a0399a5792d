"""Keys: what publishable and restricted ones may do, how all are sent, and which are refused."""

import base64

import pytest

from payment_kit.sandbox import Sandbox
from tests.sandbox.protocol.visitor import ask, control
from tests.sandbox.wire import CARD

INTENT = {"amount": "1000", "currency": "usd", **CARD}


@pytest.mark.parametrize(
    ("authorization", "part"),
    [
        ("", "did not provide an API key"),
        ("Bearer ", "did not provide an API key"),
        ("Basic !!!", "did not provide an API key"),
        ("Digest abc", "did not provide an API key"),
        ("Bearer nonsense", "Invalid API Key provided"),
        ("Bearer sk_test_", "Invalid API Key provided"),
        ("Bearer sk_test_sandbox_", "Invalid API Key provided"),
        ("Bearer sk_test_sandbox_a b", "Invalid API Key provided"),
        ("Bearer rk_test_sandboxunknown", "Invalid API Key provided"),
        ("Bearer pk_live_123", "refuses live keys"),
        ("Bearer rk_live_123", "refuses live keys"),
    ],
)
def test_what_is_no_key_of_this_sandbox_is_refused(authorization: str, part: str) -> None:
    answer = ask(Sandbox(), "GET", "/v1/balance", authorization=authorization)
    assert answer.status == 401
    assert part in answer.body["error"]["message"]
    assert answer.body["error"]["type"] == "invalid_request_error"


def test_a_key_is_sent_as_bearer_or_as_the_name_of_basic() -> None:
    sandbox = Sandbox()
    basic = base64.b64encode(f"{sandbox.api_key}:".encode()).decode()
    assert ask(sandbox, "GET", "/v1/balance", authorization=f"Basic {basic}").status == 200
    assert ask(sandbox, "GET", "/v1/balance", authorization=f"bearer {sandbox.api_key}").status == 200


def test_a_publishable_key_cannot_do_what_only_a_secret_one_may() -> None:
    sandbox = Sandbox()
    for method, path in (("GET", "/v1/customers"), ("POST", "/v1/payment_intents"), ("GET", "/v1/balance")):
        answer = ask(sandbox, method, path, {}, sandbox.publishable_key)
        assert (answer.status, answer.body["error"]["code"]) == (403, "secret_key_required")
    assert ask(sandbox, "GET", "/_sandbox/stats", key=sandbox.publishable_key).status == 403


def test_a_publishable_key_makes_payment_methods_and_confirms_with_the_client_secret() -> None:
    sandbox = Sandbox()
    browser = sandbox.publishable_key
    card = {"type": "card", "card[token]": "tok_visa"}
    method = ask(sandbox, "POST", "/v1/payment_methods", card, browser).body["id"]
    intent = ask(sandbox, "POST", "/v1/payment_intents", INTENT).body
    path = f"/v1/payment_intents/{intent['id']}"
    missing = ask(sandbox, "GET", path, key=browser)
    assert (missing.status, missing.body["error"]["param"]) == (400, "client_secret")
    wrong = ask(sandbox, "GET", path, {"client_secret": "pi_x_secret_y"}, browser)
    assert (wrong.status, wrong.body["error"]["code"]) == (400, "payment_intent_invalid_parameter")
    secret = {"client_secret": intent["client_secret"]}
    seen = ask(sandbox, "GET", path, secret, browser)
    assert (seen.status, seen.body["status"]) == (200, "requires_payment_method")
    assert not {"customer", "metadata", "latest_charge", "application_fee_amount"} & seen.body.keys()
    paid = ask(sandbox, "POST", f"{path}/confirm", {**secret, "payment_method": method}, browser)
    assert (paid.status, paid.body["status"]) == (200, "succeeded")
    assert "latest_charge" not in paid.body


def test_a_restricted_key_may_do_what_it_was_made_for() -> None:
    sandbox = Sandbox()
    made = control(sandbox, "keys", {"permissions": {"customers": "read", "products": "write"}, "name": "reports"})
    key = made["key"]
    assert ask(sandbox, "GET", "/v1/customers", key=key).status == 200
    assert ask(sandbox, "POST", "/v1/products", {"name": "Tea"}, key).status == 200
    for method, path, right in (
        ("POST", "/v1/customers", "rak_customer_write"),
        ("GET", "/v1/prices", "rak_plan_read"),
        ("GET", "/v1/payment_intents", "rak_payment_intent_read"),
    ):
        answer = ask(sandbox, method, path, {}, key)
        assert answer.status == 403
        assert f"Having the '{right}' permission" in answer.body["error"]["message"]
        assert key not in answer.body["error"]["message"]
    assert ask(sandbox, "GET", "/_sandbox/stats", key=key).status == 403
    assert [one["name"] for one in control(sandbox, "keys")] == ["reports"]
    assert key not in str(control(sandbox, "keys"))


def test_a_restricted_key_expires_by_the_sandboxs_clock_and_can_be_revoked() -> None:
    sandbox = Sandbox()
    soon = control(sandbox, "keys", {"permissions": {"*": "write"}, "expires_at": sandbox.now + 60})
    other = control(sandbox, "keys", {"permissions": {"*": "read"}})
    assert ask(sandbox, "GET", "/v1/customers", key=soon["key"]).status == 200
    control(sandbox, "clock", {"advance_seconds": 60})
    expired = ask(sandbox, "GET", "/v1/customers", key=soon["key"])
    assert (expired.status, expired.body["error"]["code"]) == (401, "api_key_expired")
    assert ask(sandbox, "GET", "/v1/customers", key=other["key"]).status == 200
    control(sandbox, f"keys/{other['id']}/revoke", {})
    assert ask(sandbox, "GET", "/v1/customers", key=other["key"]).status == 401


def test_a_restricted_key_belongs_to_the_world_it_was_made_in() -> None:
    sandbox = Sandbox()
    world = "sk_test_sandbox_one"
    ask(sandbox, "POST", "/v1/customers", {"name": "Ada"}, world)
    key = control(sandbox, "keys", {"permissions": {"*": "read"}}, world)["key"]
    assert [row["name"] for row in ask(sandbox, "GET", "/v1/customers", key=key).body["data"]] == ["Ada"]

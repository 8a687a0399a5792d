"""Idempotency keys as Stripe keeps them: for a day of the sandbox's clock, what was executed, errors included."""

from payment_kit.sandbox import Sandbox
from tests.sandbox.protocol.visitor import ask, control
from tests.sandbox.wire import CARD

DAY = 86_400


def test_a_key_is_free_again_after_a_day_of_the_sandboxs_clock() -> None:
    sandbox = Sandbox()
    first = ask(sandbox, "POST", "/v1/customers", {"name": "a"}, idempotency_key="k").body["id"]
    control(sandbox, "clock", {"advance_seconds": DAY})
    assert ask(sandbox, "POST", "/v1/customers", {"name": "a"}, idempotency_key="k").body["id"] == first
    control(sandbox, "clock", {"advance_seconds": 1})
    other = ask(sandbox, "POST", "/v1/customers", {"name": "b"}, idempotency_key="k")
    assert (other.status, other.body["name"]) == (200, "b")
    assert other.body["id"] != first


def test_an_error_of_execution_is_replayed_and_one_of_validation_is_not() -> None:
    sandbox = Sandbox()
    gone = [ask(sandbox, "POST", "/v1/customers/cus_x", {"name": "a"}, idempotency_key="k") for _ in range(2)]
    assert [answer.status for answer in gone] == [404, 404]
    assert gone[0].body == gone[1].body
    assert gone[1].headers["idempotent-replayed"] == "true"
    assert ask(sandbox, "POST", "/v1/customers", {"nmae": "a"}, idempotency_key="v").status == 400
    assert ask(sandbox, "POST", "/v1/customers", {"name": "a"}, idempotency_key="v").status == 200


def test_keys_count_for_post_only() -> None:
    sandbox = Sandbox()
    customer = ask(sandbox, "POST", "/v1/customers", {}, idempotency_key="k").body["id"]
    assert ask(sandbox, "GET", f"/v1/customers/{customer}", idempotency_key="k").status == 200
    assert ask(sandbox, "DELETE", f"/v1/customers/{customer}", idempotency_key="k").body["deleted"] is True


def test_a_key_of_256_characters_and_an_empty_one_are_refused() -> None:
    for key in ("", "k" * 256):
        answer = ask(Sandbox(), "POST", "/v1/customers", {}, idempotency_key=key)
        assert (answer.status, answer.body["error"]["type"]) == (400, "idempotency_error")


def test_an_exception_of_the_sandbox_is_a_500_in_stripes_shape_that_its_key_replays() -> None:
    sandbox = Sandbox()
    data = {"amount": "1000", "currency": "usd", "confirm": "true", "payment_method": "pm_card_visa", **CARD}
    tables, sandbox.store.tables = sandbox.store.tables, {}
    broken = ask(sandbox, "POST", "/v1/payment_intents", data, idempotency_key="k")
    sandbox.store.tables = tables
    again = ask(sandbox, "POST", "/v1/payment_intents", data, idempotency_key="k")
    assert (broken.status, broken.body["error"]["type"], again.status) == (500, "api_error", 500)
    assert "Traceback" not in str(broken.body)
    assert ask(sandbox, "POST", "/v1/payment_intents", data, idempotency_key="k2").status == 200
    assert sandbox.door.failures == 1


def test_an_answer_is_kept_from_a_key_that_may_not_do_the_operation() -> None:
    sandbox = Sandbox()
    key = control(sandbox, "keys", {"permissions": {"products": "write"}})["key"]
    asked = {"email": "a@example.com"}
    assert ask(sandbox, "POST", "/v1/customers", asked, idempotency_key="k").status == 200
    assert ask(sandbox, "POST", "/v1/customers", asked, key, idempotency_key="k").status == 403


def test_a_browser_never_gets_the_answer_a_server_got() -> None:
    sandbox = Sandbox()
    intent = ask(sandbox, "POST", "/v1/payment_intents", {"amount": "1000", "currency": "usd", **CARD}).body
    path = f"/v1/payment_intents/{intent['id']}/confirm"
    asked = {"payment_method": "pm_card_visa"}
    assert "amount_received" in ask(sandbox, "POST", path, asked, idempotency_key="k").body
    browser = {**asked, "client_secret": intent["client_secret"]}
    again = ask(sandbox, "POST", path, browser, sandbox.publishable_key, idempotency_key="k")
    assert (again.status, again.body["error"]["type"]) == (400, "idempotency_error")

"""Connected accounts: made by the platform, reached by `Stripe-Account`, with data and events of their own."""

from pathlib import Path

import pytest

from payment_kit.sandbox import Sandbox
from tests.sandbox.protocol.visitor import Answer, ask, control
from tests.sandbox.wire import CARD

PAYMENT = {"amount": "1000", "currency": "usd", "payment_method": "pm_card_visa", "confirm": "true", **CARD}


def _made(sandbox: Sandbox, **params: str) -> str:
    answer = ask(sandbox, "POST", "/v1/accounts", {"type": "express", **params})
    assert answer.status == 200, answer.body
    return str(answer.body["id"])


def _events(sandbox: Sandbox, **headers: str) -> list[tuple[str, str | None]]:
    rows = ask(sandbox, "GET", "/v1/events", {"limit": "100"}, None, **headers).body["data"]
    return [(row["type"], row.get("account")) for row in rows]


def test_a_connected_account_has_data_of_its_own() -> None:
    sandbox = Sandbox()
    account, other = _made(sandbox), _made(sandbox)
    ask(sandbox, "POST", "/v1/customers", {"name": "theirs"}, stripe_account=account)

    def names(**headers: str) -> list[str]:
        rows = ask(sandbox, "GET", "/v1/customers", None, None, **headers).body["data"]
        return [row["name"] for row in rows]

    assert (names(stripe_account=account), names(stripe_account=other), names()) == (["theirs"], [], [])
    assert ask(sandbox, "GET", "/v1/account", stripe_account=account).body["id"] == account
    assert names(stripe_account=sandbox.account_id) == []


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_account_of_somebody_else_is_forbidden(method: str) -> None:
    sandbox = Sandbox()
    answer = ask(sandbox, method, "/v1/customers", {}, stripe_account="acct_1stranger")
    assert (answer.status, answer.body["error"]["code"]) == (403, "account_invalid")
    assert sandbox.api_key not in answer.body["error"]["message"]


def test_events_of_a_connected_account_tell_it_and_stay_out_of_the_platforms_list() -> None:
    sandbox = Sandbox()
    account = _made(sandbox)
    ask(sandbox, "POST", "/v1/customers", {}, stripe_account=account)
    ask(sandbox, "POST", "/v1/customers", {})
    assert _events(sandbox, stripe_account=account) == [("customer.created", account), ("account.updated", account)]
    assert _events(sandbox) == [("customer.created", None)]


def test_a_connected_accounts_event_is_owed_to_the_platforms_connect_endpoints_only() -> None:
    sandbox = Sandbox()
    account = _made(sandbox)
    hook = {"url": "http://127.0.0.1:9/hook", "enabled_events[]": "*"}
    mine = ask(sandbox, "POST", "/v1/webhook_endpoints", hook).body["id"]
    connect = ask(sandbox, "POST", "/v1/webhook_endpoints", {**hook, "connect": "true"}).body["id"]
    ask(sandbox, "POST", "/v1/customers", {}, stripe_account=account)
    assert [key.split("|")[1] for key in sandbox.store.waiting] == [connect]
    ask(sandbox, "POST", "/v1/customers", {})
    assert [key.split("|")[1] for key in sandbox.store.waiting] == [connect, mine]


def test_one_clock_moves_the_platform_and_its_accounts() -> None:
    sandbox = Sandbox()
    account = _made(sandbox)
    ask(sandbox, "POST", "/v1/payment_intents", PAYMENT, stripe_account=account)
    control(sandbox, "clock", {"advance_seconds": 5 * 86_400})
    payouts = ask(sandbox, "GET", "/v1/payouts", stripe_account=account).body["data"]
    assert len(payouts) == 1
    assert ask(sandbox, "GET", "/v1/payouts").body["data"] == []


def test_idempotency_keys_of_two_accounts_do_not_meet() -> None:
    sandbox = Sandbox()
    account = _made(sandbox)
    ask(sandbox, "POST", "/v1/customers", {"name": "mine"}, idempotency_key="k")
    answer = ask(sandbox, "POST", "/v1/customers", {"name": "theirs"}, idempotency_key="k", stripe_account=account)
    assert (answer.status, answer.body["name"]) == (200, "theirs")


def test_a_custom_account_is_ready_with_its_terms_and_others_after_onboarding() -> None:
    sandbox = Sandbox()
    terms = {"tos_acceptance[date]": "1782864000", "tos_acceptance[ip]": "203.0.113.7"}
    card = {"capabilities[card_payments][requested]": "true"}
    custom = ask(sandbox, "POST", "/v1/accounts", {"type": "custom", **card, **terms}).body
    assert (custom["charges_enabled"], custom["capabilities"]) == (True, {"card_payments": "active"})
    express = _made(sandbox, **card)
    assert ask(sandbox, "POST", f"/v1/accounts/{express}", terms).body["error"]["param"] == "tos_acceptance"
    pending = ask(sandbox, "GET", f"/v1/accounts/{express}").body
    assert (pending["charges_enabled"], pending["requirements"]["disabled_reason"]) == (False, "requirements.past_due")
    ready = control(sandbox, f"accounts/{express}/onboard", {})
    assert (ready["charges_enabled"], ready["details_submitted"]) == (True, True)
    assert _events(sandbox, stripe_account=express) == [("account.updated", express)] * 2


def test_an_account_is_listed_updated_rejected_and_deleted() -> None:
    sandbox = Sandbox()
    account = _made(sandbox, country="DE", **{"metadata[a]": "1"})
    path = f"/v1/accounts/{account}"
    changed = ask(sandbox, "POST", path, {"business_profile[name]": "Tea", "metadata[b]": "2"}).body
    assert (changed["default_currency"], changed["business_profile"]["name"]) == ("eur", "Tea")
    assert changed["metadata"] == {"a": "1", "b": "2"}
    assert [row["id"] for row in ask(sandbox, "GET", "/v1/accounts").body["data"]] == [account]
    rejected = ask(sandbox, "POST", f"{path}/reject", {"reason": "fraud"}).body
    assert rejected["requirements"]["disabled_reason"] == "rejected.fraud"
    assert ask(sandbox, "DELETE", path).body == {"id": account, "object": "account", "deleted": True}
    gone: list[Answer] = [ask(sandbox, "GET", path), ask(sandbox, "GET", "/v1/balance", stripe_account=account)]
    assert [answer.status for answer in gone] == [403, 403]


def test_an_accounts_making_and_changes_are_told_to_the_platforms_connect_endpoint() -> None:
    sandbox = Sandbox()
    hook = {"url": "http://127.0.0.1:9/hook", "enabled_events[]": "*", "connect": "true"}
    connect = ask(sandbox, "POST", "/v1/webhook_endpoints", hook).body["id"]
    account = _made(sandbox)
    ask(sandbox, "POST", f"/v1/accounts/{account}", {"email": "ada@example.com"})
    told = [sandbox.store.anywhere("event", key.split("|")[0]) for key in sandbox.store.waiting]
    assert [key.split("|")[1] for key in sandbox.store.waiting] == [connect, connect]
    assert [event and (event["type"], event["account"]) for event in told] == [("account.updated", account)] * 2
    assert told[1] is not None
    assert told[1]["data"]["previous_attributes"] == {"email": None}


def test_an_owner_who_leaves_is_told_of_and_reached_no_more() -> None:
    sandbox = Sandbox()
    account = _made(sandbox)
    hook = {"url": "http://127.0.0.1:9/hook", "enabled_events[]": "account.application.deauthorized", "connect": "true"}
    ask(sandbox, "POST", "/v1/webhook_endpoints", hook)
    control(sandbox, f"accounts/{account}/deauthorize", {})
    (key,) = sandbox.store.waiting
    event = sandbox.store.anywhere("event", key.split("|")[0])
    assert event is not None
    assert (event["account"], event["data"]["object"]["object"]) == (account, "application")
    assert ask(sandbox, "GET", "/v1/accounts").body["data"] == []
    gone = [ask(sandbox, "GET", f"/v1/accounts/{account}"), ask(sandbox, "GET", "/v1/events", stripe_account=account)]
    assert [answer.status for answer in gone] == [403, 403]


def test_connected_accounts_survive_a_restart(tmp_path: Path) -> None:
    first = Sandbox(state_dir=tmp_path)
    account = _made(first)
    ask(first, "POST", "/v1/customers", {"name": "theirs"}, stripe_account=account, idempotency_key="k")
    first.close()
    for _ in range(2):  # once from the journal as it was written, once from its compacted form
        again = Sandbox(state_dir=tmp_path)
        replayed = ask(again, "POST", "/v1/customers", {"name": "theirs"}, stripe_account=account, idempotency_key="k")
        assert replayed.headers["idempotent-replayed"] == "true"
        assert len(ask(again, "GET", "/v1/customers", stripe_account=account).body["data"]) == 1
        again.close()

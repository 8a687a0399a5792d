"""The pytest plugin, run by a pytest of its own."""

import unittest

import pytest
import stripe

from payment_kit.sandbox import SandboxError, SandboxThread

pytest_plugins = ["pytester"]
PLUGIN = ("-p", "payment_kit.sandbox.pytest_plugin", "-p", "no:cacheprovider", "-W", "error", "--strict-markers")

STORY = """
import pathlib, pytest, stripe

def test_a_payment_is_told_with_bytes_the_sdk_verifies(stripe_sandbox):
    client = stripe_sandbox.client
    customer = client.v1.customers.create({"name": "Ada"})
    stripe_sandbox.fail_next_payment(customer.id, "insufficient_funds")
    pay = {"amount": 2000, "currency": "usd", "customer": customer.id, "payment_method": "pm_card_visa",
           "confirm": True, "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"}}
    with pytest.raises(stripe.CardError):
        client.v1.payment_intents.create(pay)
    client.v1.payment_intents.create(pay)
    webhook = stripe_sandbox.webhooks.wait_for("payment_intent.succeeded")
    event = stripe.Webhook.construct_event(webhook.body, webhook.signature, stripe_sandbox.webhook_secret)
    assert event.data.object.customer == customer.id
    assert [one.type for one in stripe_sandbox.webhooks.list("payment_intent.payment_failed")]

def test_each_webhook_is_returned_once(stripe_sandbox):
    for name in ("Ada", "Eva"):
        stripe_sandbox.client.v1.customers.create({"name": name})
    names = [stripe_sandbox.webhooks.wait_for("customer.created").event["data"]["object"]["name"] for _ in range(2)]
    assert names == ["Ada", "Eva"]
    with pytest.raises(TimeoutError, match="these came: customer.created, customer.created"):
        stripe_sandbox.webhooks.wait_for("customer.created", timeout=0.05)

@pytest.mark.stripe_sandbox(now=1_800_000_000)
def test_the_clock_moves_by_months(stripe_sandbox):
    assert stripe_sandbox.clock.advance(days=100, hours=1) == 1_800_000_000 + 100 * 86_400 + 3600

def test_a_snapshot_comes_back(stripe_sandbox):
    made = stripe_sandbox.client.v1.products.create({"name": "Tea"}, {"idempotency_key": "k"})
    pathlib.Path("made.txt").write_text(made.id)
    stripe_sandbox.snapshot()
    stripe_sandbox.trigger("customer.created")
    stripe_sandbox.restore()
    assert stripe_sandbox.client.v1.customers.list().data == []

@pytest.mark.parametrize("number", range(6))
def test_no_test_sees_another(stripe_sandbox, number):
    assert stripe_sandbox.client.v1.customers.list().data == []
    stripe_sandbox.client.v1.customers.create({"name": str(number)})

def test_the_url_serves_any_language(stripe_sandbox_url, stripe_sandbox):
    assert stripe_sandbox.url == stripe_sandbox_url
"""


def test_the_fixtures_carry_a_story_the_same_way_on_two_workers_and_on_a_sandbox_that_runs(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makepyfile(STORY)
    made = pytester.path / "made.txt"
    pytester.runpytest_subprocess(*PLUGIN, "-p", "xdist", "-n", "2").assert_outcomes(passed=11)
    first = made.read_text()
    with SandboxThread() as running:
        pytester.runpytest_subprocess(*PLUGIN, "--stripe-sandbox-url", running.url).assert_outcomes(passed=11)
        assert running.read("stats")["objects"]["customer"] == 0
    assert made.read_text() == first, "a test has the same ids in every run"


class InUnittest(unittest.TestCase):
    """The same without pytest's fixtures."""

    def test_a_thread_serves_the_sdk_and_refuses_with_a_sentence(self) -> None:
        with SandboxThread() as sandbox:
            assert sandbox.client.v1.customers.create({"name": "Ada"}).name == "Ada"
            with pytest.raises(SandboxError, match="no recipe"):
                sandbox.trigger("invoice.payed")
            assert sandbox.requests(path="/v1/customers")[0]["params"] == {"name": "Ada"}

    def test_a_taken_port_is_an_os_error(self) -> None:
        with SandboxThread() as one:
            port = int(one.url.rpartition(":")[2])
            with pytest.raises(OSError, match="did not start"), SandboxThread(port=port):
                pass


def test_the_client_is_stripes_own() -> None:
    with SandboxThread() as sandbox:
        assert type(sandbox.client) is stripe.StripeClient

"""pytest fixtures: a Stripe of its own for every test. Loaded by pytest itself wherever payment_kit is installed.

::

    def test_a_failed_renewal_is_told(stripe_sandbox, app):
        ...
        stripe_sandbox.fail_next_payment(customer.id)
        stripe_sandbox.clock.advance(days=31)
        webhook = stripe_sandbox.webhooks.wait_for("invoice.payment_failed")
        app.post("/webhooks", content=webhook.body, headers=webhook.headers)

One server runs per pytest process, so ``pytest -n`` works; each test gets a world under a key of its own that follows
from the test's name, and with it the same ids in every run. ``@pytest.mark.stripe_sandbox(now=…)`` sets its clock.
"""

from collections.abc import Iterator
from hashlib import blake2b
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from payment_kit.sandbox.handle import StripeSandbox

MARK = "stripe_sandbox"


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--stripe-sandbox-url``: use a sandbox that already runs."""
    group = parser.getgroup("stripe sandbox")
    group.addoption("--stripe-sandbox-url", metavar="URL", help="Use this running sandbox instead of starting one.")


def pytest_configure(config: pytest.Config) -> None:
    """Makes the marker known."""
    config.addinivalue_line("markers", f"{MARK}(now): the unix time at which the sandbox's clock starts")


@pytest.fixture(scope="session")
def stripe_sandbox_url(pytestconfig: pytest.Config) -> Iterator[str]:
    """The address of this process's sandbox, for servers in any language; every ``sk_test_…`` key opens a world."""
    given: str | None = pytestconfig.getoption("--stripe-sandbox-url")
    if given:
        yield given.rstrip("/")
        return
    from payment_kit.sandbox.thread import SandboxThread

    with SandboxThread(isolated=True) as stripe:
        yield stripe.url


@pytest.fixture
def stripe_sandbox(stripe_sandbox_url: str, request: pytest.FixtureRequest) -> "Iterator[StripeSandbox]":
    """A Stripe of this test's own: `url`, `api_key`, `webhook_secret`, `client`, `clock`, `webhooks` and more."""
    from payment_kit.sandbox.handle import StripeSandbox

    name = blake2b(request.node.nodeid.encode(), digest_size=12).hexdigest()
    world = StripeSandbox(stripe_sandbox_url, f"sk_test_sandbox_{name}")
    mark = request.node.get_closest_marker(MARK)
    world.reset(**({} if mark is None else mark.kwargs))
    yield world
    world.order("worlds/close")

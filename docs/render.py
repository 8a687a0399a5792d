"""Renders the documents that repeat the code: errors, settings, commands, and what the sandbox does and does not.

`make docs` writes them; a test renders them again and compares, so they never disagree with the program.
"""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import click
from pydantic_core import PydanticUndefined

from payment_kit.api import contract
from payment_kit.cli import COMMANDS, group
from payment_kit.config import Settings, names
from payment_kit.errors import REASONS
from payment_kit.sandbox import control
from payment_kit.sandbox.differences import DIFFERENCES
from payment_kit.v1 import options_pb2

FOLDER = Path(__file__).resolve().parent
WIDTH = 100


def errors() -> str:
    """Every error code, when it is given, and the next step."""
    lines = [
        "# Errors",
        "",
        "Every error has a stable code. On the command line it is printed as `PK-…`; over gRPC it is the `reason` of",
        "`google.rpc.ErrorInfo` (without `PK-`), with Stripe's own `code` and `decline_code` in the metadata.",
        "",
    ]
    for reason, (cause, next_step) in sorted(REASONS.items()):
        lines += [f"## PK-{reason}", "", cause, "", f"*Next step:* {next_step}", ""]
    return "\n".join(lines)


def settings() -> str:
    """Every setting with its default."""
    lines = [
        "# Settings",
        "",
        "From the environment, or from a file named `.env` in the project folder.",
        "A name that starts with `PAYMENT_KIT_` and is not in this list is refused.",
        "",
        "| setting | default | meaning |",
        "| --- | --- | --- |",
    ]
    shown = names()
    for name, field in Settings.model_fields.items():
        default = "" if field.default in (None, (), PydanticUndefined) else f"`{field.default}`"
        lines.append(f"| `{shown[name]}` | {default} | {field.description} |")
    return "\n".join([*lines, ""])


def commands() -> str:
    """The help of every command."""
    lines = ["# Commands", ""]
    context = click.Context(group, info_name="payment-kit", terminal_width=WIDTH, **group.context_settings)
    lines += ["```", group.get_help(context), "```", ""]
    for name in COMMANDS:
        command = group.get_command(context, name)
        assert command is not None
        lines += _help(command, click.Context(command, parent=context, info_name=name, terminal_width=WIDTH))
    return "\n".join(lines)


def _help(command: click.Command, context: click.Context) -> list[str]:
    lines = [f"## {context.command_path}", "", "```", command.get_help(context), "```", ""]
    if isinstance(command, click.Group):
        for name, child in command.commands.items():
            lines += _help(child, click.Context(child, parent=context, info_name=name, terminal_width=WIDTH))
    return lines


def sandbox_coverage() -> str:
    """Every operation of Stripe's specification, and what the sandbox does with it."""
    sys.path.insert(0, str(FOLDER.parent))  # the judge lives with the tests
    from tests.sandbox import coverage

    return coverage.page()


def sandbox_differences() -> str:
    """What the sandbox does in another way than Stripe, by topic."""
    lines = [
        "# Known differences between the sandbox and Stripe",
        "",
        "For deciding whether the sandbox is enough for your tests. What it refuses as a whole stands in",
        "[the coverage page](sandbox-coverage.md); here stands what one could otherwise take for Stripe's behaviour.",
        "The list is not known to be complete: `payment-kit sandbox verify --against stripe` compares with your own",
        "test key, and what it finds belongs here.",
        "",
    ]
    topics = list(dict.fromkeys(one.topic for one in DIFFERENCES))
    for topic in topics:
        lines += [f"## {topic}", "", "| Stripe | the sandbox | so |", "| --- | --- | --- |"]
        lines += [f"| {one.stripe} | {one.sandbox} | {one.so} |" for one in DIFFERENCES if one.topic == topic]
        lines.append("")
    return "\n".join(lines)


IN_TESTS = """# The sandbox in your tests

Every way in reaches the same program: your code keeps its own Stripe SDK, in any language, and only its address and
key change.

## pytest

The fixtures are there as soon as `payment-kit` is installed.

```python
def test_a_failed_payment_is_told(stripe_sandbox, app):
    customer = stripe_sandbox.client.v1.customers.create({"name": "Ada"})  # Stripe's own client
    stripe_sandbox.fail_next_payment(customer.id, "insufficient_funds")
    app.charge(customer.id)
    webhook = stripe_sandbox.webhooks.wait_for("payment_intent.payment_failed")
    app.post("/webhooks", content=webhook.body, headers=webhook.headers)  # bytes and signature as Stripe sends them
    stripe_sandbox.clock.advance(days=31)
```

`stripe_sandbox` is a world of the test's own (`url`, `api_key`, `webhook_secret`, `client`, `clock`, `webhooks`,
`fail_next_payment`, `trigger`, `snapshot`, `restore`, `requests`, `order` and `read` for everything below), so tests
run in parallel, with `pytest -n` too. `@pytest.mark.stripe_sandbox(now=1800000000)` sets its clock.
`stripe_sandbox_url` is the address for a server in another language: every `sk_test_…` key opens a world of its own
there. `--stripe-sandbox-url` uses a sandbox that already runs.

## unittest, or any other runner

```python
class Payments(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stripe = cls.enterClassContext(SandboxThread())  # the same object as the fixture

    def setUp(self):
        self.stripe.reset()
```

## Without a socket

`Sandbox().app` is an ASGI application: `httpx.AsyncClient(transport=httpx.ASGITransport(sandbox.app),
base_url="http://sandbox")` asks it in-process. Webhooks are collected there, not sent.

## A business with a history

`payment-kit sandbox --scenario saas` (or `shop`, `smoke`) plays months of a business before it listens: sign-ups,
renewals, upgrades, declines with and without recovery, refunds, disputes, payouts. In Python: `play(sandbox,
read("smoke"))` from `payment_kit.sandbox.business`. A file of your own is a table or two:

```toml
[business]
title = "A small club"
seed = 1
start = 2026-01-01
months = 3
[customers]
first_month = 8                      # grows by growth_percent a month, loses churn_percent
currencies = { usd = 2, jpy = 1 }    # shares
[[plans]]
name = "Member"
interval = "month"                   # also share, trial_days, seats = [least, most]
price = { usd = 900, jpy = 1300 }    # minor units
[troubles]
declined = 20                        # percent; also recovers, upgrades, refunded, disputed
```
`[shop]` with `orders_per_month` and `[[goods]]` sells without subscriptions. Years of events would fill the memory, so
such a sandbox forgets them after 30 days, as Stripe does.

## Any language

`payment-kit sandbox --memory --isolated` prints its address, a key, and the address of a page that shows it live. Each
test takes a key it makes up, `sk_test_<name>`.

## The control API

Below `/_sandbox/`, JSON in and out, with the secret key of a world (`-u $KEY:` in curl). A `Stripe-Account` header
selects a connected account where an operation is about objects.

"""


def sandbox_in_tests() -> str:
    """How to reach the sandbox from tests, and every operation of its control API."""
    return f"{IN_TESTS}{control.document()}\n"


def service() -> str:
    """Every method of the gRPC contract, from its descriptors, with the test that carries it out."""
    sys.path.insert(0, str(FOLDER.parent))  # as above
    from tests.api.exercised import exercised

    lines = [
        "# The gRPC service",
        "",
        "Generated from [the contract](../proto/payment_kit/v1), which says what every field is. Writes carry a",
        "`request_id`, a UUID of yours, and happen once however often they are sent. What answers from the mirror",
        "never waits for Stripe. Each method is carried out end to end, over a real channel, by the test in its row.",
        "",
    ]
    for one in contract.services():
        lines += [f"## {one.name}", ""]
        lines += ["| method | who may | asks | what it does | tested by |", "| --- | --- | --- | --- | --- |"]
        for method in contract.methods(one):
            asks = f"`{method.verb} {method.path}`" if method.path else "the mirror" if method.object else "nobody"
            role = options_pb2.Role.Name(method.role).removeprefix("ROLE_").lower()
            test = exercised().get(method.name)  # a test of the contract fails when there is none
            shown = f"[{test.test.removeprefix('test_').replace('_', ' ')}](../tests/api/{test.file})" if test else ""
            row = (f"`{method.name}`", role, asks, contract.comments()[method.full_name], shown)
            lines.append(f"| {' | '.join(row)} |")
        lines.append("")
    return "\n".join(lines)


DOCUMENTS: Mapping[str, Callable[[], str]] = {
    "errors.md": errors,
    "settings.md": settings,
    "commands.md": commands,
    "service.md": service,
    "sandbox-coverage.md": sandbox_coverage,
    "sandbox-differences.md": sandbox_differences,
    "sandbox-in-tests.md": sandbox_in_tests,
}


def main() -> None:
    """Writes them all."""
    for name, render in DOCUMENTS.items():
        (FOLDER / name).write_text(render())


if __name__ == "__main__":
    main()

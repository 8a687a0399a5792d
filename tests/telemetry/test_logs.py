"""One line per event, in the form its reader wants, with nothing secret in it."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from payment_kit.errors import UsageProblem
from payment_kit.stripe_gateway import StripeGateway
from payment_kit.telemetry.logs import configure


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def test_a_machine_reads_json_lines() -> None:
    stream = io.StringIO()
    configure(stream=stream)

    structlog.get_logger().info("stored", event_id="evt_1", email="jane@example.com")

    line = json.loads(stream.getvalue())
    assert line["event"] == "stored"
    assert line["event_id"] == "evt_1"
    assert line["level"] == "info"
    assert line["email"] == "[redacted]"


def test_a_person_reads_columns() -> None:
    stream = io.StringIO()
    configure(json=False, stream=stream)

    structlog.get_logger().warning("late", seconds=3)

    assert "late" in stream.getvalue()
    assert "seconds" in stream.getvalue()
    assert not stream.getvalue().startswith("{")


def test_a_traceback_is_redacted_too() -> None:
    stream = io.StringIO()
    configure(stream=stream)
    try:
        raise RuntimeError("refused sk_test_4eC39HqLyjWDarjtT1zdp7dc")
    except RuntimeError:
        structlog.get_logger().exception("failed")

    assert "RuntimeError" in stream.getvalue()
    assert "4eC39" not in stream.getvalue()


def test_what_libraries_log_takes_the_same_way() -> None:
    stream = io.StringIO()
    configure(stream=stream)

    logging.getLogger("some.library").error("cannot reach %s", "postgresql://shop:hunter2@db/kit")

    assert "hunter2" not in stream.getvalue()
    assert json.loads(stream.getvalue())["level"] == "error"


def test_below_the_level_nothing_is_written() -> None:
    stream = io.StringIO()
    configure("warning", stream=stream)

    structlog.get_logger().info("quiet")
    logging.getLogger("some.library").info("quiet")

    assert stream.getvalue() == ""


def test_an_unknown_level_is_refused() -> None:
    with pytest.raises(ValueError, match="loud"):
        configure("loud")


async def test_what_stripe_is_sent_and_answers_is_logged_at_no_level(
    gateway: StripeGateway, caplog: pytest.LogCaptureFixture
) -> None:
    stream = io.StringIO()
    configure("debug", stream=stream)

    await gateway.request("post", "/v1/customers", {"name": "Jolanda", "email": "jo@example.com"}, idempotency_key="k")
    with pytest.raises(UsageProblem):
        await gateway.request("post", "/v1/customers", {"Jolanda": "x"}, idempotency_key="k2")

    assert "Jolanda" not in stream.getvalue() + caplog.text
    assert "example.com" not in stream.getvalue() + caplog.text

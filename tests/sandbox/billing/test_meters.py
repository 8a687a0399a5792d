"""Billing meters: what is reported is what is counted."""

import pytest

from payment_kit.sandbox import Sandbox
from payment_kit.sandbox.billing import meters
from payment_kit.sandbox.call import Call
from tests.sandbox.acts import DAY, get, post, refused, types


def meter(sandbox: Sandbox, formula: str = "sum", event_name: str = "calls") -> str:
    data = {"display_name": "Calls", "event_name": event_name, "default_aggregation[formula]": formula}
    id_: str = post(sandbox, "billing/meters", **data)["id"]
    return id_


def report(sandbox: Sandbox, customer: str, value: str = "1", **more: str) -> None:
    data = {"event_name": "calls", "payload[stripe_customer_id]": customer, "payload[value]": value}
    post(sandbox, "billing/meter_events", **data, **more)


def used(sandbox: Sandbox, meter_id: str, customer: str) -> int:
    return meters.usage(Call(sandbox.store, "test"), meter_id, customer, sandbox.now - DAY, sandbox.now + DAY)


@pytest.mark.parametrize(("formula", "wanted"), [("sum", 12), ("count", 3), ("last", 4)])
def test_usage_follows_the_formula_and_the_customer(formula: str, wanted: int) -> None:
    sandbox = Sandbox()
    id_ = meter(sandbox, formula)
    ada, bob = post(sandbox, "customers")["id"], post(sandbox, "customers")["id"]
    for value, at in (("3", -20), ("4", -5), ("5", -10)):
        report(sandbox, ada, value, timestamp=str(sandbox.now + at))
    report(sandbox, bob, "100")
    assert used(sandbox, id_, ada) == wanted


def test_a_period_contains_its_start_and_not_its_end() -> None:
    sandbox = Sandbox()
    id_, ada = meter(sandbox), post(sandbox, "customers")["id"]
    at = sandbox.now - 1000
    report(sandbox, ada, "7", timestamp=str(at))
    call = Call(sandbox.store, "test")
    assert [meters.usage(call, id_, ada, *period) for period in ((at, at + 1), (at - 1, at))] == [7, 0]


def test_negative_usage_is_billed_as_nothing() -> None:
    sandbox = Sandbox()
    id_, ada = meter(sandbox), post(sandbox, "customers")["id"]
    report(sandbox, ada, "-5")
    assert used(sandbox, id_, ada) == 0


def test_an_identifier_counts_once_a_day_and_can_be_taken_back() -> None:
    sandbox = Sandbox()
    id_, ada = meter(sandbox), post(sandbox, "customers")["id"]
    report(sandbox, ada, "5", identifier="a")
    again = {"event_name": "calls", "payload[stripe_customer_id]": ada, "payload[value]": "5", "identifier": "a"}
    assert refused(sandbox, "billing/meter_events", **again)["param"] == "identifier"
    cancel = {"event_name": "calls", "type": "cancel", "cancel[identifier]": "a"}
    assert post(sandbox, "billing/meter_event_adjustments", **cancel)["status"] == "complete"
    assert used(sandbox, id_, ada) == 0
    assert refused(sandbox, "billing/meter_event_adjustments", **cancel)["param"] == "cancel[identifier]"


def test_a_meter_is_switched_off_and_on_again() -> None:
    sandbox = Sandbox()
    id_ = meter(sandbox)
    assert refused(sandbox, "billing/meters", display_name="B", event_name="calls",
                   **{"default_aggregation[formula]": "sum"})["param"] == "event_name"  # fmt: skip
    off = post(sandbox, f"billing/meters/{id_}/deactivate")
    assert (off["status"], off["status_transitions"]["deactivated_at"]) == ("inactive", sandbox.now)
    ada = post(sandbox, "customers")["id"]
    assert refused(sandbox, "billing/meter_events", event_name="calls",
                   **{"payload[stripe_customer_id]": ada, "payload[value]": "1"})["param"] == "event_name"  # fmt: skip
    assert post(sandbox, f"billing/meters/{id_}/reactivate")["status"] == "active"
    assert post(sandbox, f"billing/meters/{id_}", display_name="Requests")["display_name"] == "Requests"
    assert [row["id"] for row in get(sandbox, "billing/meters", status="active")["data"]] == [id_]
    assert types(sandbox, "billing.meter") == [
        f"billing.meter.{what}" for what in ("created", "deactivated", "reactivated", "updated")
    ]


@pytest.mark.parametrize(
    ("data", "param"),
    [
        ({"payload[value]": "1.5"}, "payload"),
        ({"payload[value]": "1", "timestamp": "5"}, "timestamp"),
        ({"payload[other]": "1"}, "payload[value]"),
        ({"payload[value]": "1", "payload[stripe_customer_id]": "cus_none"}, "payload"),
    ],
)
def test_a_report_that_cannot_be_is_refused(data: dict[str, str], param: str) -> None:
    sandbox = Sandbox()
    meter(sandbox)
    ada = post(sandbox, "customers")["id"]
    data = {"event_name": "calls", "payload[stripe_customer_id]": ada, **data}
    assert refused(sandbox, "billing/meter_events", **data)["param"] == param


def test_summaries_come_per_window_newest_first_and_in_pages() -> None:
    sandbox = Sandbox()
    id_, ada = meter(sandbox), post(sandbox, "customers")["id"]
    today = sandbox.now // DAY * DAY
    for days, value in ((3, "1"), (3, "2"), (2, "10"), (0, "100")):
        report(sandbox, ada, value, timestamp=str(today - days * DAY))
    asked = {"customer": ada, "start_time": str(today - 5 * DAY), "end_time": str(today + DAY)}
    path = f"billing/meters/{id_}/event_summaries"
    (whole,) = get(sandbox, path, **asked)["data"]
    assert whole["aggregated_value"] == 113
    first = get(sandbox, path, **asked, value_grouping_window="day", limit="2")
    assert ([row["aggregated_value"] for row in first["data"]], first["has_more"]) == ([100, 10], True)
    rest = get(sandbox, path, **asked, value_grouping_window="day", starting_after=first["data"][-1]["id"])
    assert ([row["aggregated_value"] for row in rest["data"]], rest["has_more"]) == ([3], False)
    back = get(sandbox, path, **asked, value_grouping_window="day", ending_before=rest["data"][0]["id"], limit="1")
    assert ([row["aggregated_value"] for row in back["data"]], back["has_more"]) == ([10], True)

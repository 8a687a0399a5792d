"""Everything the sandbox returns conforms to Stripe's published specification, and it takes only what Stripe takes."""

from typing import Any

import pytest

from payment_kit.sandbox import Sandbox, form
from payment_kit.sandbox.endpoint import Endpoint
from payment_kit.sandbox.kinds import KINDS
from payment_kit.sandbox.registry import ENDPOINTS
from tests.sandbox import memory, spec
from tests.sandbox.spec import problems

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
    monthly = post(
        "prices", product=product["id"], currency="kwd", unit_amount_decimal="10.5", **{"recurring[interval]": "month"}
    )
    post("webhook_endpoints", url="https://shop.test/hook", **{"enabled_events[]": "invoice.paid"})
    card = {"allowed_payment_method_types[]": "card", "confirm": "true"}
    for name in CARDS:
        for currency in ("usd", "jpy"):
            intent = post("payment_intents", amount="2000", currency=currency, payment_method=f"pm_card_{name}", **card)
            post("refunds", payment_intent=intent.get("id", ""), amount="500")
    waits = {"items[0][price]": monthly["id"], "payment_behavior": "default_incomplete"}
    post("subscriptions", customer=customer["id"], **waits)
    held = post(
        "payment_intents", amount="2000", currency="eur", payment_method="pm_card_visa", capture_method="manual", **card
    )
    post(f"payment_intents/{held['id']}/capture", amount_to_capture="1500")
    left = post("payment_intents", amount="2000", currency="eur", customer=customer["id"])
    post(f"payment_intents/{left['id']}/cancel", cancellation_reason="abandoned")
    post("topups", amount="5000", currency="usd")
    post("setup_intents", customer=customer["id"])
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
    assert {event["type"] for event in events} <= spec.event_types()
    assert len({event["type"] for event in events}) > 25


@pytest.mark.parametrize(
    ("method", "path", "status", "body"),
    [
        ("GET", "/v1/balance", 200, {"object": "charge"}),
        ("GET", "/v1/customers", 200, {"object": "list", "data": [{}], "has_more": False, "url": "/v1/customers"}),
        ("GET", "/v1/customers", 200, {"object": "list", "data": [], "has_more": False, "url": "/v1/products"}),
        ("GET", "/v1/nothing", 200, {}),
        ("GET", "/v1/balance", 400, {"error": {"type": "odd_error"}}),
        ("GET", "/v1/balance", 400, {"error": {"type": "api_error", "reason": "odd"}}),
    ],
)
def test_the_judge_sees_a_broken_answer(method: str, path: str, status: int, body: dict[str, Any]) -> None:
    assert spec.judge(method, path, status, body) != []


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: f"{endpoint.method} {endpoint.path}")
def test_every_operation_and_parameter_is_one_of_stripes(endpoint: Endpoint) -> None:
    assert strange(endpoint).keys() - newer(endpoint) == set()


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: f"{endpoint.method} {endpoint.path}")
def test_what_stripe_requires_is_required(endpoint: Endpoint) -> None:
    assert spec.required(endpoint.method, endpoint.path) <= set(endpoint.required)


@pytest.mark.parametrize(
    ("kind", "schema"),
    [
        (form.fields({"city": form.string, "town": form.string}), {"properties": {"city": {"type": "string"}}}),
        (form.fields({"city": form.string}), {"properties": {"city": {"type": "object", "properties": {}}}}),
        (form.array(form.one_of("day", "dekade")), {"type": "array", "items": {"type": "string", "enum": ["day"]}}),
        (form.array(form.string), {"type": "string"}),
        (form.boolean, {"type": "integer"}),
        (form.metadata, {"type": "string"}),
    ],
)
def test_the_judge_sees_a_parameter_that_is_not_stripes(kind: form.Kind, schema: dict[str, Any]) -> None:
    assert mismatches(kind, schema, "it") != []


@pytest.mark.parametrize("entry", spec.NEWER, ids=lambda entry: f"{entry.kind}.{entry.name}")
def test_a_newer_property_is_still_missing_in_the_specification_and_answered_here(
    busy: Sandbox, entry: spec.Newer
) -> None:
    assert entry.name not in spec.SCHEMAS[entry.kind]["properties"]
    assert any(entry.name in row for row in busy.store.rows(entry.kind))


@pytest.mark.parametrize("entry", spec.NEWER_PARAMETERS, ids=lambda entry: entry.name)
def test_a_newer_parameter_is_still_strange_to_the_specification_and_taken_here(entry: spec.NewerParameter) -> None:
    taking = [one for one in ENDPOINTS if f"{one.method} {one.path}" in entry.operations]
    assert [one for one in taking if entry.name not in strange(one)] == []
    assert len(taking) == len(entry.operations)


@pytest.mark.parametrize("entry", spec.NEWER_OPERATIONS, ids=lambda entry: f"{entry.method} {entry.template}")
def test_a_newer_operation_is_still_missing_in_the_specification_and_offered_here(entry: spec.NewerOperation) -> None:
    assert entry.template not in spec.PUBLISHED
    assert entry.template in {spec.template(one.method, one.path) for one in ENDPOINTS if one.method == entry.method}


def newer(endpoint: Endpoint) -> set[str]:
    """The parameters of an operation that are known to be missing in the specification."""
    return {entry.name for entry in spec.NEWER_PARAMETERS if f"{endpoint.method} {endpoint.path}" in entry.operations}


def strange(endpoint: Endpoint) -> dict[str, str]:
    """What an operation takes and the specification does not know: parameter -> what is wrong with it."""
    known = spec.parameters(endpoint.method, endpoint.path)
    if known is None:
        return {"": "the specification has no such operation"}
    return dict(problem for name, kind in endpoint.kinds.items() for problem in mismatches(kind, known.get(name), name))


_TYPES: dict[Any, str] = {
    form.string: "string", form.email: "string", form.url: "string", form.currency: "string", form.decimal: "string",
    form.integer: "integer", form.amount: "integer", form.boolean: "boolean", form.metadata: "object",
}  # fmt: skip


def mismatches(kind: form.Kind, schema: dict[str, Any] | None, path: str) -> list[tuple[str, str]]:
    """Where a parameter takes what the specification's schema of it does not know, however deep."""
    if schema is None:
        return [(path, "unknown")]
    choices = schema.get("anyOf", [schema])
    match kind:
        case form.Fields(kinds):
            known = _properties(choices)
            return [found for n, inner in kinds.items() for found in mismatches(inner, known.get(n), f"{path}[{n}]")]
        case form.Array(of):
            items = [choice["items"] for choice in choices if "items" in choice]
            return mismatches(of, {"anyOf": items}, path) if items else [(path, "no array")]
        case form.Either(simple, nested):
            return mismatches(simple, schema, path) + mismatches(nested, schema, path)
        case form.OneOf(allowed):
            texts = [choice for choice in choices if choice.get("type") == "string"]
            words = {word for text in texts for word in text.get("enum", [])}
            opened = any("enum" not in text for text in texts)
            return [] if opened else [(path, f"cannot be {word}") for word in allowed if word not in words]
    wanted = _TYPES.get(kind)
    return [] if wanted is None or any(choice.get("type") == wanted for choice in choices) else [(path, f"no {wanted}")]


def _properties(choices: list[dict[str, Any]]) -> dict[str, Any]:
    """The fields of a hash; one that several choices have takes what any of them takes."""
    found: dict[str, list[Any]] = {}
    for choice in choices:
        for name, schema in choice.get("properties", {}).items():
            found.setdefault(name, []).extend(schema.get("anyOf", [schema]))
    return {name: {"anyOf": schemas} for name, schemas in found.items()}

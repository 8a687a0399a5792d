"""Whatever a client sends: an answer in Stripe's shape below 500, and a sandbox that lives on."""

import string
from functools import cache
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from payment_kit.sandbox import Sandbox, form
from payment_kit.sandbox.form import Array, Either, Fields, OneOf
from payment_kit.sandbox.kinds import KINDS
from payment_kit.sandbox.registry import ENDPOINTS
from payment_kit.sandbox.server import START
from tests.sandbox.protocol.visitor import Answer, ask
from tests.sandbox.wire import CARD

EXAMPLES = 120
FUZZ = settings(
    max_examples=EXAMPLES, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
VALUES = st.one_of(
    st.sampled_from(
        ["", "0", "1", "-1", "100", "true", "false", "now", "usd", "jpy", "kwd", "month", "null", "pm_card_visa",
         "99999999999", "9" * 30, "1e9", "1.5", "\x00", "²", "a" * 6000, "data.customer", "☃", "%", "[]", "id"]
    ),
    st.text(max_size=20),
    st.integers(-(2**70), 2**70).map(str),
)  # fmt: skip
NAMES = st.text(string.ascii_lowercase + "_[]0 \x00é", min_size=1, max_size=15)


@cache
def _alive() -> Sandbox:
    return Sandbox()


def _seeded(sandbox: Sandbox) -> None:
    """One real object of many kinds, so that requests get past "no such"."""

    def made(path: str, **params: str) -> Any:
        answer = ask(sandbox, "POST", f"/v1/{path}", params)
        return answer.body if answer.status == 200 else {}

    customer = made("customers", email="a@example.com")["id"]
    card = made("payment_methods", type="card", **{"card[token]": "tok_visa"})["id"]
    made(f"payment_methods/{card}/attach", customer=customer)
    product = made("products", name="Tea")["id"]
    recurring = {"recurring[interval]": "month", "unit_amount": "500"}
    price = made("prices", product=product, currency="usd", **recurring).get("id", "")
    coupon = made("coupons", percent_off="10", duration="once").get("id", "")
    made("promotion_codes", **{"promotion[type]": "coupon", "promotion[coupon]": coupon})
    made("tax_rates", display_name="VAT", percentage="19", inclusive="false")
    made("accounts", type="custom")
    made("webhook_endpoints", url="http://127.0.0.1:9", **{"enabled_events[]": "product.created"})
    intent = made(
        "payment_intents", amount="1000", currency="usd", payment_method="pm_card_visa", confirm="true", **CARD
    )
    made("payment_intents", amount="1000", currency="usd")
    made("setup_intents", customer=customer)
    made("refunds", payment_intent=intent["id"], amount="10")
    made("subscriptions", customer=customer, default_payment_method=card, **{"items[0][price]": price})
    made("invoices", customer=customer)
    made("invoiceitems", customer=customer, amount="100", currency="usd")
    made("test_helpers/test_clocks", frozen_time=str(START + 100))
    line = {"line_items[0][price]": price, "line_items[0][quantity]": "1"}
    made("checkout/sessions", mode="subscription", success_url="https://example.com", **line)
    made("payment_links", **line)
    made("quotes", customer=customer, **line)


@cache
def _ids() -> dict[str, list[str]]:
    """The ids of the objects there are, by kind."""
    sandbox = _alive()
    _seeded(sandbox)
    tables = sandbox.store.tables
    return {kind: list(table.order)[:5] for kind, table in tables.items() if table.order and kind != "event"}


def _known_ids() -> list[str]:
    return [id_ for ids in _ids().values() for id_ in ids]


def _of(path: str) -> list[str]:
    """Ids that fit where a path of the API has one."""
    return next((_ids()[kind] for kind, row in KINDS.items() if row.path == path and kind in _ids()), _known_ids())


def _taken(kinds: Any, inside: str = "") -> dict[str, Any]:
    """Every parameter a table takes, however deep, as it is sent, with its kind."""
    found: dict[str, Any] = {}
    for name, kind in kinds.items():
        found |= _inner(kind, f"{inside}[{name}]" if inside else name)
    return found


def _inner(kind: Any, path: str) -> dict[str, Any]:
    match kind:
        case Fields():
            return _taken(kind.kinds, path)
        case Array():
            return _inner(kind.of, f"{path}[0]")
        case Either():
            return {path: kind.simple, **_inner(kind.nested, path)}
        case form.metadata:
            return {f"{path}[a]": form.string}
    return {path: kind}


def _fitting(name: str, kind: Any) -> st.SearchStrategy[str]:
    """Values the kind takes, so that many requests get as far as their operation."""
    last = name.rstrip("]").rpartition("[")[2]
    if last in _ids():
        return st.sampled_from(_ids()[last])
    match kind:
        case OneOf():
            return st.sampled_from(kind.allowed)
        case form.integer | form.amount:
            return st.one_of(st.integers(0, 400), st.sampled_from([START, START + 86_400, START + 40 * 86_400])).map(
                str
            )
        case form.boolean:
            return st.sampled_from(["true", "false"])
        case form.currency:
            return st.sampled_from(["usd", "usd", "jpy", "kwd"])
    return st.one_of(st.sampled_from(_known_ids()), st.sampled_from(["a", "tok_visa", "pm_card_visa", "12.5"]))


def _fine(answer: Answer, asked: object) -> None:
    assert answer.status < 500 or answer.body["error"].get("code") == "sandbox_unsupported", (asked, answer.body)
    if answer.status >= 400:
        assert answer.body["error"]["message"], asked
        assert answer.body["error"]["type"] in ("invalid_request_error", "card_error", "idempotency_error", "api_error")
    assert _alive().door.failures == 0, asked


@given(data=st.data())
@FUZZ
def test_any_value_for_any_parameter_of_any_operation(data: st.DataObject) -> None:
    endpoint = data.draw(st.sampled_from(ENDPOINTS))
    first, *rest = endpoint.path.split("/*")
    odd_id = st.sampled_from(["x", "%00", "pi_☃", "a" * 300])
    right = st.sampled_from(_of(first))
    ids = [data.draw(st.one_of(right, right, right, st.sampled_from(_known_ids()), odd_id)) for _ in rest]
    path = first + "".join(f"/{id_}{part}" for id_, part in zip(ids, rest, strict=True))
    taken = _taken(endpoint.kinds)
    names = data.draw(st.sets(st.sampled_from(sorted(taken)), max_size=6)) if taken else set()
    names |= {name for name in taken for wanted in endpoint.required if name == wanted or name.startswith(f"{wanted}[")}
    odd = data.draw(st.sampled_from([*names, None, None, None])) if names else None
    params = {name: data.draw(VALUES if name == odd else _fitting(name, taken[name])) for name in sorted(names)}
    _fine(ask(_alive(), endpoint.method, f"/v1/{path}", params), (endpoint.method, path, params))


@given(st.text(max_size=40), st.dictionaries(NAMES, VALUES, max_size=5), st.sampled_from(["GET", "POST", "DELETE"]))
@FUZZ
def test_any_path_with_any_parameters(path: str, params: dict[str, str], method: str) -> None:
    _fine(ask(_alive(), method, f"/v1/{path}", params), (method, path, params))


@given(st.binary(max_size=300), st.sampled_from(["customers", "payment_intents", "subscriptions", "accounts"]))
@FUZZ
def test_any_bytes_as_a_body(body: bytes, path: str) -> None:
    _fine(ask(_alive(), "POST", f"/v1/{path}", body), body)


@given(
    st.dictionaries(
        st.sampled_from(
            ["authorization", "stripe-version", "stripe-account", "stripe-context", "content-type", "idempotency-key",
             "accept", "x-anything"]
        ),
        st.text(st.characters(min_codepoint=1, max_codepoint=255), max_size=40),
        max_size=4,
    ),
    st.text(string.ascii_uppercase, min_size=1, max_size=8),
)  # fmt: skip
@FUZZ
def test_any_headers_and_any_method(headers: dict[str, str], method: str) -> None:
    named: dict[str, Any] = {name.replace("-", "_"): value for name, value in headers.items()}
    _fine(ask(_alive(), method, "/v1/customers", {"name": "x"}, None, **named), (method, headers))


@pytest.mark.parametrize(
    "body", [b"[1]", b"null", b"{", b'{"x": 1}', b"\xff", b'{"advance_seconds": 1e400}', b"[" * 999]
)
@pytest.mark.parametrize(
    "path", ["clock", "reset", "faults", "keys", "version", "delivery", "delivery/flush", "nothing"]
)
def test_a_malformed_control_request_is_refused(path: str, body: bytes) -> None:
    sandbox = Sandbox()
    assert 400 <= ask(sandbox, "POST", f"/_sandbox/{path}", body).status < 500
    assert sandbox.door.failures == 0


def test_a_body_of_a_thousand_fields_and_one_of_deep_brackets_are_answered() -> None:
    sandbox = Sandbox()
    for body in (b"&".join([b"a[]=1"] * 1000), b"a" + b"[b]" * 5000 + b"=1", b"[" * 100_000, b"&" * 100_000, b"=" * 9):
        assert 400 <= ask(sandbox, "POST", "/v1/customers", body).status < 500
    assert ask(sandbox, "GET", "/v1/balance").status == 200

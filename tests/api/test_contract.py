"""What the options of the contract say can be carried out: a slip in a .proto file is found here, not by a caller."""

from collections.abc import Iterator
from typing import Any

import pytest

from payment_kit.api import contract
from payment_kit.api.contract import Method
from payment_kit.api.handlers import WRITES
from payment_kit.api.own import OWN
from payment_kit.api.params import NOT_STRIPES, changeable, params
from payment_kit.errors import UsageProblem
from payment_kit.mirror.catalogue import CATALOGUE, CHILDREN
from payment_kit.payments import rules
from payment_kit.v1 import options_pb2
from payment_kit.v1.customer_pb2 import CreateCustomerRequest, Customer
from payment_kit.v1.payment_intent_pb2 import CancelPaymentIntentRequest, CreatePaymentIntentRequest, PaymentIntent
from payment_kit.v1.payment_method_pb2 import PaymentMethod
from payment_kit.v1.price_pb2 import CreatePriceRequest, Recurring

from .exercised import exercised

METHODS = [method for service in contract.services() for method in contract.methods(service)]


def _fields(message: Any, seen: set[str]) -> Iterator[Any]:
    if message.full_name in seen or not message.full_name.startswith("payment_kit."):
        return
    seen.add(message.full_name)
    for field in message.fields:
        yield field
        if field.message_type is not None:
            yield from _fields(field.message_type, seen)


def _all_fields() -> list[Any]:
    seen: set[str] = set()
    return [
        field
        for method in METHODS
        for kind in (method.takes, method.answers)
        for field in _fields(kind.DESCRIPTOR, seen)
    ]


def test_names_are_the_methods_only_key() -> None:
    assert len({method.name for method in METHODS}) == len(METHODS)
    assert WRITES.keys() <= {method.name for method in METHODS if method.kind == "write"}


@pytest.mark.parametrize("method", [method for method in METHODS if method.object], ids=lambda method: method.name)
def test_a_method_is_about_an_object_of_the_mirror(method: Method) -> None:
    assert method.object in CATALOGUE or method.kind == "ask"
    assert not method.path or method.kind == "ask" or method.path.startswith(CATALOGUE[method.object].path)


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_every_method_has_a_role_and_reading_needs_no_more_than_a_reader(method: Method) -> None:
    assert method.role != options_pb2.ROLE_UNSPECIFIED
    if method.kind != "own":
        reads = method.kind in ("get", "list") or (method.kind == "ask" and method.verb == "GET")
        assert (method.role == options_pb2.ROLE_READER) == reads


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_every_write_has_a_request_id_and_no_read_has_one(method: Method) -> None:
    writes = method.kind in ("write", "update", "delete")
    assert ("request_id" in method.takes.DESCRIPTOR.fields_by_name) == writes
    about_one = ("{id}" in method.path and method.kind != "update") or method.kind == "get"
    assert method.kind == "own" or ("id" in method.takes.DESCRIPTOR.fields_by_name) == about_one


def test_every_method_about_our_own_state_is_written_by_hand_and_no_other() -> None:
    assert OWN.keys() == {method.name for method in METHODS if method.kind == "own"}
    assert {method.name for method in METHODS if method.streams} <= OWN.keys()


@pytest.mark.parametrize(
    "method", [method for method in METHODS if method.kind == "list"], ids=lambda method: method.name
)
def test_a_list_is_filtered_by_columns(method: Method) -> None:
    wanted: list[Any] = [field for field in method.takes.DESCRIPTOR.fields if field.name not in NOT_STRIPES]
    columns = {column.name for column in CATALOGUE[method.object].columns}
    if method.object in CHILDREN:
        columns.add("parent_id")
    assert {contract.name_at_stripe(field)[0] for field in wanted} <= columns


def test_every_id_is_of_a_kind_whose_ids_we_know() -> None:
    kinds = {contract.stripe_option(field).id_of for field in _all_fields()} - {""}
    assert kinds
    assert kinds <= rules.KINDS


def test_an_update_may_name_what_is_not_only_read_down_to_the_last_field() -> None:
    assert changeable(Customer.DESCRIPTOR) == "email name phone description default_payment_method metadata".split()
    assert changeable(PaymentMethod.DESCRIPTOR) == [
        *("card.exp_month", "card.exp_year", "billing_details.name", "billing_details.email", "metadata")
    ]


def test_every_method_is_carried_out_by_a_test() -> None:
    assert {method.name for method in METHODS} - exercised().keys() == set()


def test_words_of_an_enum_are_stripes() -> None:
    assert contract.words(PaymentIntent.State.DESCRIPTOR)["requires_payment_method"] == 1
    assert "unspecified" not in contract.words(Recurring.Interval.DESCRIPTOR)


def test_parameters_are_stripes_and_what_is_empty_is_left_out() -> None:
    intent = CreatePaymentIntentRequest(request_id="x", save_payment_method=True, metadata={"order": "7"})
    intent.amount.amount_minor, intent.amount.currency = 1_234, "kwd"
    assert params(intent) == {
        "amount": 1_234,
        "currency": "kwd",
        "setup_future_usage": "off_session",
        "metadata": {"order": "7"},
    }
    price = CreatePriceRequest(product="tea", recurring=Recurring(interval=Recurring.INTERVAL_MONTH))
    price.unit_amount.currency = "jpy"
    assert params(price) == {
        "product": "tea",
        "unit_amount": 0,
        "currency": "jpy",
        "recurring": {"interval": "month"},
    }
    assert params(CreateCustomerRequest()) == {}


def test_a_value_of_a_later_version_is_refused_by_the_fields_name() -> None:
    with pytest.raises(UsageProblem) as caught:
        params(CancelPaymentIntentRequest(id="pi_1", reason=99))  # type: ignore[arg-type]
    assert caught.value.field == "reason"

"""One shape per object, however it came."""

from typing import Any

import pytest

from payment_kit.mirror.normalise import event_states, previous_attributes, read_states
from payment_kit.mirror.order import CHANGED, CREATED, DELETED
from tests.mirror.events import NOON, customer, event

TRANSACTION = {"id": "txn_1", "object": "balance_transaction", "status": "pending", "amount": 1}


def _read(payload: dict[str, Any]) -> dict[str, Any]:
    states = read_states([payload], time=NOON, request_id="req_1", api_version=None)
    return {state.id: state.raw for state in states}


def test_an_expanded_object_becomes_a_row_and_leaves_its_id() -> None:
    charge = {"id": "ch_1", "object": "charge", "balance_transaction": TRANSACTION}
    intent = {"id": "pi_1", "object": "payment_intent", "latest_charge": charge}
    assert _read(intent) == {
        "pi_1": {"id": "pi_1", "object": "payment_intent", "latest_charge": "ch_1"},
        "ch_1": {"id": "ch_1", "object": "charge", "balance_transaction": "txn_1"},
        "txn_1": TRANSACTION,
    }


def test_the_transactions_of_a_dispute_become_rows() -> None:
    states = event_states(
        event({"id": "du_1", "object": "dispute", "balance_transactions": [TRANSACTION]}, "charge.dispute.created")
    )
    assert [(state.id, state.progress[0]) for state in states] == [("du_1", CREATED), ("txn_1", CHANGED)]
    assert states[0].raw["balance_transactions"] == ["txn_1"]


def test_objects_in_an_expanded_list_become_rows() -> None:
    refunds = {"object": "list", "data": [{"id": "re_1", "object": "refund"}], "has_more": False}
    found = _read({"id": "ch_1", "object": "charge", "refunds": refunds})
    assert found["ch_1"]["refunds"]["data"] == ["re_1"]
    assert "re_1" in found


def test_known_objects_inside_an_unknown_one_become_rows() -> None:
    assert _read({"id": "bps_1", "object": "billing_portal.session", "customer": customer()}) == {"cus_1": customer()}


def test_a_client_secret_is_never_stored() -> None:
    found = _read({"id": "pi_1", "object": "payment_intent", "client_secret": "pi_1_secret_2"})
    assert "client_secret" not in found["pi_1"]


def test_a_secret_in_the_address_of_a_bank_page_is_never_stored() -> None:
    # As Stripe sends it: docs.stripe.com/api/payment_intents/object#payment_intent_object-next_action
    page = "https://hooks.stripe.com/redirect/authenticate/src_1?client_secret=src_client_secret_2"
    action = {"type": "redirect_to_url", "redirect_to_url": {"url": page, "return_url": None}}
    found = _read({"id": "pi_1", "object": "payment_intent", "status": "requires_action", "next_action": action})
    assert "client_secret" not in str(found)


def test_a_payment_method_in_an_old_error_is_no_state_of_it() -> None:
    error = {"code": "card_declined", "payment_method": {"id": "pm_1", "object": "payment_method", "customer": None}}
    assert list(_read({"id": "pi_1", "object": "payment_intent", "last_payment_error": error})) == ["pi_1"]


def test_metadata_that_looks_like_an_object_stays_metadata() -> None:
    found = _read(customer(metadata={"id": "ch_1", "object": "charge"}))
    assert found == {"cus_1": customer(metadata={"id": "ch_1", "object": "charge"})}


@pytest.mark.parametrize(
    ("kind", "deleted", "rank"),
    [
        ("customer.created", False, CREATED),
        ("customer.updated", False, CHANGED),
        ("customer.deleted", True, DELETED),
        ("customer.subscription.deleted", False, CHANGED),
    ],
)
def test_the_events_type_ranks_its_object(kind: str, deleted: bool, rank: int) -> None:
    (state,) = event_states(event(customer(), kind))
    assert (state.deleted, state.progress[0]) == (deleted, rank)


def test_a_deleted_answer_is_a_tombstone() -> None:
    (state,) = read_states(
        [{"id": "cus_1", "object": "customer", "deleted": True}], time=NOON, request_id="r", api_version=None
    )
    assert (state.deleted, state.is_stub) == (True, True)


@pytest.mark.parametrize(
    "payload", [{"object": "balance"}, {"object": "invoice", "amount_due": 1}, {"object": "charge"}]
)
def test_an_object_without_a_table_or_an_id_has_no_states(payload: dict[str, Any]) -> None:
    assert event_states(event(payload, "x.y")) == []


def test_previous_attributes_get_the_same_shape_as_the_object() -> None:
    dispute = {"id": "du_1", "object": "dispute", "balance_transactions": [TRANSACTION]}
    changed = event(dispute, "charge.dispute.updated", previous={"balance_transactions": [TRANSACTION]})
    assert previous_attributes(changed) == {"balance_transactions": ["txn_1"]}


def test_the_version_of_the_payload_is_kept() -> None:
    assert event_states(event(customer(), api_version="2020-08-27"))[0].api_version == "2020-08-27"


def test_a_read_is_never_placed_before_the_creation_of_its_object() -> None:
    (state,) = read_states([customer(created=NOON + 5)], time=NOON, request_id="req_1", api_version=None)
    assert state.time == NOON + 5


def test_a_preview_of_an_invoice_is_no_invoice() -> None:
    preview = {"id": "upcoming_in_1", "object": "invoice", "status": "draft"}
    assert event_states(event(preview, "invoice.upcoming")) == []


def test_a_price_inside_what_was_sold_counts_only_where_nothing_else_is_known() -> None:
    price = {"id": "price_1", "object": "price", "created": NOON - 60, "nickname": "as it was sold"}
    item = {"id": "si_1", "object": "subscription_item", "price": price}
    sold = {"id": "sub_1", "object": "subscription", "items": {"object": "list", "data": [item], "has_more": False}}
    own, copy = event_states(event(sold, "customer.subscription.updated"))
    assert own.raw["items"]["data"][0]["price"] == "price_1"
    assert (copy.key, copy.time, copy.is_read) == (("price", "price_1"), NOON - 60, True)

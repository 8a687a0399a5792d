"""Of two states of one object, which is newer: every rule, and that no order of arrival changes the end."""

import random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from payment_kit.mirror.normalise import read_states
from payment_kit.mirror.order import State, compare, latest
from tests.mirror.events import NOON, customer, event, state


def _read(payload: dict[str, Any], time: int = NOON, **fields: Any) -> State:
    return read_states([payload], time=time, request_id="req_1", api_version=None, **fields)[0]


def test_the_later_second_is_newer() -> None:
    assert compare(state(customer("b"), id="e2", created=NOON + 1), state(customer("a"), id="e1")) == "newer"


def test_the_earlier_second_is_older() -> None:
    assert compare(state(customer("a"), id="e1", created=NOON - 1), state(customer("b"), id="e2")) == "older"


def test_the_same_event_again_is_the_same() -> None:
    assert compare(state(customer("a")), state(customer("a"))) == "same"


def test_created_is_first_in_its_second() -> None:
    created = state(customer("a"), "customer.created", id="e1")
    assert compare(created, state(customer("b"), id="e2")) == "older"


def test_progress_decides_within_a_second() -> None:
    charge = {"id": "ch_1", "object": "charge", "status": "succeeded"}
    captured = state({**charge, "captured": True}, "charge.captured", id="e2")
    assert compare(captured, state({**charge, "captured": False}, "charge.updated", id="e1")) == "newer"


def test_what_was_refunded_may_shrink_within_a_second() -> None:
    charge = {"id": "ch_1", "object": "charge", "status": "succeeded", "captured": True}
    refunded = state({**charge, "amount_refunded": 5}, "charge.refunded", id="e2")
    assert compare(refunded, state({**charge, "amount_refunded": 0}, "charge.updated", id="e1")) == "undecided"


def test_previous_attributes_name_the_successor_within_a_second() -> None:
    second = state(customer("b"), id="e2", previous={"name": "a"})
    assert compare(second, state(customer("a"), id="e1")) == "newer"


def test_previous_attributes_of_the_stored_state_name_the_older_arrival() -> None:
    second = state(customer("b"), id="e2", previous={"name": "a"})
    assert compare(state(customer("a"), id="e1"), second) == "older"


def test_an_added_metadata_key_was_null_before() -> None:
    second = state(customer(metadata={"k": "v"}), id="e2", previous={"metadata": {"k": None}})
    assert compare(second, state(customer(metadata={}), id="e1")) == "newer"


def test_previous_values_that_only_partly_fit_prove_nothing() -> None:
    # e1 → e2 (name) → e3 (phone): e3 arrives while e1 is stored, and e2 is still missing
    third = state(customer("b", phone="2"), id="e3", previous={"phone": "1"})
    assert compare(third, state(customer("a", phone="1"), id="e1")) == "undecided"


def test_there_and_back_within_a_second_is_undecided() -> None:
    back = state(customer("a"), id="e3", previous={"name": "b"})
    forth = state(customer("b"), id="e2", previous={"name": "a"})
    assert compare(forth, back) == "undecided"


def test_equal_content_may_hide_a_change_between() -> None:
    first, last = (state(customer("a"), id=id_, previous={"name": was}) for id_, was in (("e1", "x"), ("e3", "b")))
    assert compare(last, first) == "same"
    assert compare(state(customer("b"), id="e2", previous={"name": "a"}), first, [last]) == "undecided"


def test_one_change_announced_under_two_types_is_the_same() -> None:
    one = state(customer("a"), id="e1", previous={"name": "x"})
    assert compare(state(customer("a"), id="e2", previous={"name": "x"}), one) == "same"


def test_a_read_in_the_second_of_an_event_is_undecided() -> None:
    assert compare(state(customer("b"), id="e2", previous={"name": "a"}), _read(customer("a"))) == "undecided"


def test_a_read_begun_after_the_stored_state_is_newer() -> None:
    assert compare(_read(customer("b"), after="e1"), state(customer("a"), id="e1")) == "newer"


def test_a_read_begun_after_another_state_than_the_stored_one_proves_nothing() -> None:
    assert compare(_read(customer("b"), after="e0"), state(customer("a"), id="e1")) == "undecided"


def test_a_tombstone_beats_a_later_update() -> None:
    gone = state(customer(), "customer.deleted", id="e1")
    assert compare(state(customer("b"), id="e2", created=NOON + 60), gone) == "older"


def test_a_tombstone_that_comes_late_still_wins() -> None:
    gone = state(customer(), "customer.deleted", id="e1", created=NOON - 60)
    assert compare(gone, state(customer("b"), id="e2")) == "newer"


def test_the_tombstone_that_kept_the_object_beats_the_empty_one() -> None:
    stub = _read({"id": "cus_1", "object": "customer", "deleted": True}, NOON + 9)
    gone = state(customer(), "customer.deleted", id="e1")
    assert (compare(gone, stub), compare(stub, gone)) == ("newer", "older")


def test_three_states_of_a_second_form_a_chain() -> None:
    one = state(customer("a"), id="e1", previous={"name": "x"})
    two = state(customer("b"), id="e2", previous={"name": "a"})
    three = state(customer("c"), id="e3", previous={"name": "b"})
    assert latest([three, one, two]) is three


def test_a_circle_beside_a_state_is_no_chain() -> None:
    there = state(customer("a"), id="e1", previous={"name": "b"})
    back = state(customer("b"), id="e2", previous={"name": "a"})
    other = state(customer("c"), id="e3", previous={"phone": None})
    assert latest([there, back, other]) is None


def test_a_chain_with_a_hole_is_undecided() -> None:
    one = state(customer("a"), id="e1", previous={"name": "x"})
    three = state(customer("c"), id="e3", previous={"name": "b"})
    assert latest([three, one]) is None


def test_a_state_that_could_follow_either_of_two_is_undecided() -> None:
    one = state(customer("a"), id="e1", previous={"name": "x"})
    back = state(customer("a"), id="e3", previous={"name": "y"})
    assert latest([one, back, state(customer("c"), id="e2", previous={"name": "a"})]) is None


NAMES = st.sampled_from(["a", "b", "c"])


@st.composite
def histories(draw: st.DrawFn) -> list[dict[str, Any]]:
    """The events of one customer in true order, crowded into few seconds, flipping back and forth."""
    second, now = NOON, customer("a", phone="a")
    events = [event(now, "customer.created", id="evt_0", created=second)]
    for number in range(draw(st.integers(1, 7))):
        second += draw(st.sampled_from([0, 0, 0, 1]))
        changes = draw(st.dictionaries(st.sampled_from(["name", "phone"]), NAMES))
        previous = {key: now[key] for key, value in changes.items() if now[key] != value}
        now = {**now, **changes}
        events.append(event(now, id=f"evt_{number + 1}", created=second, previous=previous or None))
    return events


@given(histories(), st.randoms(use_true_random=False))
@settings(max_examples=150)
def test_any_order_of_arrival_ends_in_the_last_state(history: list[dict[str, Any]], rng: random.Random) -> None:
    """Applied one by one; an undecided arrival is fetched again, which shows the truth of that moment: the end."""
    states = [state(each["data"]["object"], each["type"], **_fields(each)) for each in history]
    truth = states[-1]
    arrivals = rng.sample(states, len(states)) + rng.choices(states, k=3)
    current = arrivals[0]
    known = [current]
    for incoming in arrivals[1:]:
        verdict = compare(incoming, current, [one for one in known if one.order == current.order])
        if verdict == "newer":
            current = incoming
        elif verdict == "undecided":
            current = _read(dict(truth.raw), incoming.time, after=current.event)
        known += [incoming, current]
    assert (current.raw, current.time) == (truth.raw, truth.time)


@given(histories(), st.randoms(use_true_random=False))
@settings(max_examples=150)
def test_a_whole_second_at_once_is_never_decided_wrongly(history: list[dict[str, Any]], rng: random.Random) -> None:
    states = [state(each["data"]["object"], each["type"], **_fields(each)) for each in history]
    found = latest(rng.sample(states, len(states)))
    assert found is None or found.raw == states[-1].raw


@given(histories(), st.randoms(use_true_random=False))
def test_newer_one_way_is_older_the_other_way(history: list[dict[str, Any]], rng: random.Random) -> None:
    one, other = (state(each["data"]["object"], each["type"], **_fields(each)) for each in rng.choices(history, k=2))
    opposite = {"newer": "older", "older": "newer", "same": "same", "undecided": "undecided"}
    assert compare(other, one) == opposite[compare(one, other)]


def _fields(each: dict[str, Any]) -> dict[str, Any]:
    return {"id": each["id"], "created": each["created"], "previous": each["data"].get("previous_attributes")}

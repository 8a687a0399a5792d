"""The fake Stripe of the comparison answers as Stripe does, for every copy of what was recorded."""

import orjson
import pytest

from benchmarks.peers.recording import Json, Recording
from benchmarks.peers.stripe import FakeStripe

COPIES = 3


def test_a_list_is_paged_to_its_end_without_repeating_or_leaving_out(stripe: FakeStripe) -> None:
    found, query = list[str](), "limit=2"
    while True:
        page = asked(stripe, "/v1/charges", query)
        found += [one["id"] for one in page["data"]]
        if not page["has_more"]:
            break
        query = f"limit=2&starting_after={found[-1]}"
    assert len(found) == len(set(found)) == 3 * COPIES


def test_every_copy_refers_to_objects_of_its_own_copy(stripe: FakeStripe) -> None:
    charges = asked(stripe, "/v1/charges", "limit=100")["data"]
    assert all(one["customer"][-6:] == one["id"][-6:] for one in charges)
    assert all(asked(stripe, f"/v1/customers/{one['customer']}")["id"] == one["customer"] for one in charges)


@pytest.mark.parametrize(
    ("window", "expected"),
    [("created[gte]=20", {20, 30}), ("created[gt]=20", {30}), ("created[lte]=20", {10, 20}),
     ("created[lt]=20", {10}), ("created[gte]=20&created[lt]=30", {20})],
)  # fmt: skip
def test_a_created_window_holds_what_was_created_in_it(stripe: FakeStripe, window: str, expected: set[int]) -> None:
    found = asked(stripe, "/v1/charges", f"limit=100&{window}")["data"]
    assert {one["created"] for one in found} == expected
    assert len(found) == len(expected) * COPIES


def test_a_list_of_one_parent_holds_its_children_of_the_same_copy(stripe: FakeStripe) -> None:
    found = asked(stripe, "/v1/charges", "customer=cus_A000001")["data"]
    assert [one["id"] for one in found] == ["ch_3000001", "ch_1000001"]


def test_canceled_subscriptions_are_listed_only_when_all_are_asked_for(stripe: FakeStripe) -> None:
    assert asked(stripe, "/v1/subscriptions", "limit=100")["data"] == []
    assert len(asked(stripe, "/v1/subscriptions", "limit=100&status=all")["data"]) == COPIES


def test_expand_puts_the_object_in_place_of_its_id(stripe: FakeStripe) -> None:
    found = asked(stripe, "/v1/charges", "limit=1&expand[0]=data.customer")["data"]
    assert found[0]["customer"]["id"] == f"cus_A{found[0]['id'][-6:]}"


def test_an_unknown_object_is_a_404_and_an_unknown_list_is_empty(stripe: FakeStripe) -> None:
    assert stripe.answer("/v1/charges/ch_9000000", "")[0] == 404
    assert asked(stripe, "/v1/coupons")["data"] == []


def asked(stripe: FakeStripe, path: str, query: str = "") -> Json:
    status, body = stripe.answer(path, query)
    assert status == 200
    answer: Json = orjson.loads(body)
    return answer


@pytest.fixture
def stripe() -> FakeStripe:
    objects: dict[str, list[Json]] = {
        "customer": [{"id": "cus_A", "created": 5}, {"id": "cus_B", "created": 6}],
        "subscription": [{"id": "sub_A", "created": 7, "status": "canceled", "customer": "cus_A"}],
        "charge": [
            {"id": "ch_1", "created": 10, "customer": "cus_A"},
            {"id": "ch_2", "created": 20, "customer": "cus_B"},
            {"id": "ch_3", "created": 30, "customer": "cus_A"},
        ],
    }
    return FakeStripe(Recording({"id": "acct_1"}, objects, []), COPIES)

"""SearchCustomers, from the mirror."""

import grpc
import pytest

from payment_kit.v1.customer_pb2 import CreateCustomerRequest, SearchCustomersRequest

from ..fix_service import Service, failure, new_id

PEOPLE = {
    "ada": {"email": "Ada@Example.com", "name": "Ada Lovelace", "phone": "+44 1", "metadata": {"team": "7", "a": "b"}},
    "adam": {"email": "adam@example.com", "name": "adam_smith", "metadata": {"team": "7"}},
    "eve": {"email": "eve@example.com", "name": "Eve 100%", "phone": "+44 2", "metadata": {"team": "8"}},
}


@pytest.fixture
async def people(service: Service) -> dict[str, str]:
    """Who has which id."""
    found = {}
    for who, fields in PEOPLE.items():
        request = CreateCustomerRequest(request_id=new_id(), **fields)  # type: ignore[arg-type]
        found[(await service.customers.CreateCustomer(request)).customer.id] = who
    return found


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ({"email": "aDA@example.COM"}, {"ada"}),
        ({"email": "ada"}, set()),
        ({"name": "ADA"}, {"ada", "adam"}),
        ({"name": "adam%"}, set()),
        ({"name": "eve 100%"}, {"eve"}),
        ({"name": "lovelace"}, set()),
        ({"phone": "+44 2"}, {"eve"}),
        ({"metadata": {"team": "7"}}, {"ada", "adam"}),
        ({"metadata": {"team": "7", "a": "b"}}, {"ada"}),
        ({"metadata": {"team": "7"}, "name": "adam"}, {"adam"}),
        ({}, {"ada", "adam", "eve"}),
    ],
    ids=lambda value: str(sorted(value)) if isinstance(value, set) else str(value),
)
async def test_customers_are_found_by_all_that_is_given(
    service: Service, people: dict[str, str], fields: dict[str, object], wanted: set[str]
) -> None:
    request = SearchCustomersRequest(**fields)  # type: ignore[arg-type]

    found = (await service.customers.SearchCustomers(request)).customers

    assert {people[one.id] for one in found} == wanted


async def test_a_search_is_paged_and_its_token_belongs_to_it(service: Service, people: dict[str, str]) -> None:
    first = SearchCustomersRequest(page_size=1, name="ada", metadata={"team": "7"})
    one = await service.customers.SearchCustomers(first)
    more = {"page_size": 1, "name": "ada", "page_token": one.next_page_token}

    two = await service.customers.SearchCustomers(SearchCustomersRequest(metadata={"team": "7"}, **more))  # type: ignore[arg-type]

    assert {people[found.customers[0].id] for found in (one, two)} == {"ada", "adam"}
    assert two.next_page_token == ""
    other = SearchCustomersRequest(metadata={"team": "8"}, **more)  # type: ignore[arg-type]
    failed = await failure(service.customers.SearchCustomers(other))
    assert (failed.code, failed.fields) == (grpc.StatusCode.INVALID_ARGUMENT, ("page_token",))

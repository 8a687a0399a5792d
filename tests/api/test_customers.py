"""CustomerService over a real channel."""

import grpc
from google.protobuf.field_mask_pb2 import FieldMask

from payment_kit.v1.customer_pb2 import (
    CreateCustomerRequest,
    Customer,
    DeleteCustomerRequest,
    GetCustomerRequest,
    ListCustomersRequest,
    UpdateCustomerRequest,
)

from ..fix_service import Service, failure, new_id
from . import calls


async def test_a_created_customer_is_read_back(service: Service) -> None:
    request = CreateCustomerRequest(
        request_id=new_id(), email="jo@example.com", name="Jo", phone="+15551234567", metadata={"plan": "gold"}
    )
    created = (await service.customers.CreateCustomer(request)).customer

    read = (await service.customers.GetCustomer(GetCustomerRequest(id=created.id))).customer

    assert read == created
    assert created.id.startswith("cus_")
    assert (read.email, read.name, read.phone, dict(read.metadata)) == (
        "jo@example.com",
        "Jo",
        "+15551234567",
        {"plan": "gold"},
    )
    assert read.create_time.seconds == service.sandbox.now


async def test_an_unknown_customer_is_not_found(service: Service) -> None:
    failed = await failure(service.customers.GetCustomer(GetCustomerRequest(id="cus_unknown")))

    assert (failed.code, failed.reason) == (grpc.StatusCode.NOT_FOUND, "RESOURCE_NOT_FOUND")
    assert failed.metadata["pk_code"] == "PK-RESOURCE_NOT_FOUND"


async def test_only_masked_fields_change_and_an_empty_one_is_unset(service: Service) -> None:
    created = await calls.customer(service, name="Jo", description="note")
    request = UpdateCustomerRequest(
        request_id=new_id(),
        customer=Customer(id=created.id, name="ignored", description=""),
        update_mask=FieldMask(paths=["description"]),
    )

    changed = (await service.customers.UpdateCustomer(request)).customer

    assert (changed.name, changed.description) == ("Jo", "")
    assert (await service.customers.GetCustomer(GetCustomerRequest(id=created.id))).customer == changed


async def test_without_a_mask_the_fields_that_are_not_empty_change(service: Service) -> None:
    created = await calls.customer(service, name="Jo", description="note")
    request = UpdateCustomerRequest(request_id=new_id(), customer=Customer(id=created.id, name="Joan"))

    changed = (await service.customers.UpdateCustomer(request)).customer

    assert (changed.name, changed.description) == ("Joan", "note")


async def test_metadata_is_replaced_whole(service: Service) -> None:
    request = CreateCustomerRequest(request_id=new_id(), metadata={"a": "1", "b": "1"})
    created = (await service.customers.CreateCustomer(request)).customer
    mask = FieldMask(paths=["metadata"])
    for wanted in ({"b": "2", "c": "2"}, {}):
        update = UpdateCustomerRequest(
            request_id=new_id(), customer=Customer(id=created.id, metadata=wanted), update_mask=mask
        )

        assert dict((await service.customers.UpdateCustomer(update)).customer.metadata) == wanted


async def test_a_default_payment_method_is_set_and_unset(service: Service) -> None:
    created = await calls.customer(service)
    method = await calls.card(service, created.id)
    mask = FieldMask(paths=["default_payment_method"])
    for wanted in (method.id, ""):
        update = UpdateCustomerRequest(
            request_id=new_id(), customer=Customer(id=created.id, default_payment_method=wanted), update_mask=mask
        )

        assert (await service.customers.UpdateCustomer(update)).customer.default_payment_method == wanted


async def test_the_same_request_id_makes_one_customer(service: Service) -> None:
    request = CreateCustomerRequest(request_id=new_id(), name="Jo")

    first = await service.customers.CreateCustomer(request)
    second = await service.customers.CreateCustomer(request)

    assert first == second
    assert len(service.made("customer")) == 1


async def test_the_same_request_id_with_another_body_is_refused(service: Service) -> None:
    request = CreateCustomerRequest(request_id=new_id(), name="Jo")
    await service.customers.CreateCustomer(request)
    request.name = "Joan"

    failed = await failure(service.customers.CreateCustomer(request))

    assert (failed.code, failed.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_ID_REUSED")
    assert failed.fields == ("request_id",)
    assert len(service.made("customer")) == 1


async def test_customers_are_listed_by_their_address(service: Service) -> None:
    jo, _ = [await calls.customer(service, email=email) for email in ("jo@example.com", "kim@example.com")]

    everybody = await service.customers.ListCustomers(ListCustomersRequest())
    found = await service.customers.ListCustomers(ListCustomersRequest(email="jo@example.com"))

    assert len(everybody.customers) == 2
    assert list(found.customers) == [jo]


async def test_a_deleted_customer_is_gone_however_often_it_is_asked_for(service: Service) -> None:
    created = await calls.customer(service)
    request = DeleteCustomerRequest(request_id=new_id(), id=created.id)

    await service.customers.DeleteCustomer(request)
    await service.customers.DeleteCustomer(request)
    await service.customers.DeleteCustomer(DeleteCustomerRequest(request_id=new_id(), id=created.id))

    read = await failure(service.customers.GetCustomer(GetCustomerRequest(id=created.id)))
    assert read.code == grpc.StatusCode.NOT_FOUND
    assert (await service.customers.ListCustomers(ListCustomersRequest())).customers == []
    never = DeleteCustomerRequest(request_id=new_id(), id="cus_never")
    assert (await failure(service.customers.DeleteCustomer(never))).code == grpc.StatusCode.NOT_FOUND

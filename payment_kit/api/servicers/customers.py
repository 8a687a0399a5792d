"""CustomerService."""

# ruff: noqa: N802 - the contract names the methods

from typing import Any

from payment_kit.api import messages
from payment_kit.api.requests import changes, write_request
from payment_kit.payments import customers
from payment_kit.payments.desk import Desk
from payment_kit.v1 import customer_pb2 as v1
from payment_kit.v1.customer_pb2_grpc import CustomerServiceServicer


class Customers(CustomerServiceServicer):
    """Customers of one account."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def CreateCustomer(self, request: v1.CreateCustomerRequest, context: Any) -> v1.CreateCustomerResponse:
        """See customer.proto."""
        write = write_request(request, "CreateCustomer", context.time_remaining())
        payload = await customers.create(
            self._desk,
            write,
            email=request.email,
            name=request.name,
            phone=request.phone,
            description=request.description,
            metadata=request.metadata,
        )
        return v1.CreateCustomerResponse(customer=messages.customer(payload))

    async def GetCustomer(self, request: v1.GetCustomerRequest, _context: Any) -> v1.GetCustomerResponse:
        """See customer.proto."""
        return v1.GetCustomerResponse(customer=messages.customer(await customers.get(self._desk, request.id)))

    async def UpdateCustomer(self, request: v1.UpdateCustomerRequest, context: Any) -> v1.UpdateCustomerResponse:
        """See customer.proto."""
        write = write_request(request, "UpdateCustomer", context.time_remaining())
        changed = changes(request.customer, request.update_mask, customers.CHANGEABLE, "customer")
        payload = await customers.update(self._desk, write, request.customer.id, changed)
        return v1.UpdateCustomerResponse(customer=messages.customer(payload))

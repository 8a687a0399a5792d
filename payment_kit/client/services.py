"""The services of the contract as attributes of a client; `services.pyi` is generated and says their types."""

from types import SimpleNamespace
from typing import Any

from payment_kit.client.calls import AsyncMethod, BlockingMethod, Method
from payment_kit.descriptors import plural, services, snake


class Services:
    """Every service with its methods, ``client.customers.create_customer(email=…)``."""

    _method: type[Method] = BlockingMethod

    def __init__(self, *channel: Any) -> None:
        for service in services():
            methods = {snake(one.name): self._method(one, *channel) for one in service.methods}
            setattr(self, plural(service.name), SimpleNamespace(**methods))


class AsyncServices(Services):
    """The same for asyncio, ``await client.customers.create_customer(email=…)``."""

    _method = AsyncMethod

"""A client of the service: `Client` blocks, `AsyncClient` is for asyncio; both may be shared by many callers."""

from types import TracebackType
from typing import Self

import grpc

from payment_kit.client.calls import Metadata
from payment_kit.client.channel import OPTIONS, Tls, credentials
from payment_kit.client.services import AsyncServices, Services
from payment_kit.client.tries import Patience


class Client(Services):
    """The service at `target` (``host:port``), for threads and plain programs.

        with Client("127.0.0.1:8080") as client:
            customer = client.customers.create_customer(email="ada@example.com").customer
            for one in client.customers.list_customers():
                ...

    Every method takes the fields of its request by name and `timeout_seconds`, which bounds the call with all its tries
    (`patience` by default). A write without a `request_id` gets one, kept over its tries; give your own, stored before
    the call, to repeat it safely after a crash of yours. Methods that list are iterators that ask for the next page
    when it is needed. Everything a call fails with is a `PaymentKitError`.

    `key` is sent as ``authorization: Bearer …``. Beyond this machine's loopback the connection is always TLS; `tls`
    says whom to trust and who you are. Raises OSError and ValueError when `tls` cannot be used.
    """

    def __init__(
        self, target: str, *, key: str | None = None, tls: Tls | None = None, patience: Patience | None = None
    ) -> None:
        secure = credentials(target, tls)
        self._channel = (
            grpc.insecure_channel(target, options=OPTIONS)
            if secure is None
            else grpc.secure_channel(target, secure, options=OPTIONS)
        )
        super().__init__(self._channel, _metadata(key), patience or Patience())

    def close(self) -> None:
        """Give up the connection and every call under way."""
        self._channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class AsyncClient(AsyncServices):
    """The same for asyncio; made inside a running event loop and used in that one only."""

    def __init__(
        self, target: str, *, key: str | None = None, tls: Tls | None = None, patience: Patience | None = None
    ) -> None:
        secure = credentials(target, tls)
        self._channel = (
            grpc.aio.insecure_channel(target, options=OPTIONS)
            if secure is None
            else grpc.aio.secure_channel(target, secure, options=OPTIONS)
        )
        super().__init__(self._channel, _metadata(key), patience or Patience())

    async def close(self) -> None:
        """Give up the connection and every call under way."""
        await self._channel.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


def _metadata(key: str | None) -> Metadata:
    return () if key is None else (("authorization", f"Bearer {key}"),)

"""The methods of the contract as functions, blocking and asynchronous: tries, pages, streams, errors."""

import asyncio
import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace
from typing import Any

import grpc
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message_factory import GetMessageClass

from payment_kit.client.errors import error_of
from payment_kit.client.tries import Patience, Tries
from payment_kit.descriptors import is_write, listed

Metadata = Sequence[tuple[str, str]]


class Method(ABC):
    """A function of its request's fields: the answer, or an iterator over what is listed or streamed."""

    def __init__(self, method: MethodDescriptor, channel: Any, metadata: Metadata, patience: Patience) -> None:
        page = listed(method)
        self._page = page.name if page is not None else ""
        self._metadata = metadata
        self._patience = patience
        self._writes = is_write(method)
        self._takes = GetMessageClass(method.input_type)
        self._invoke = (channel.unary_stream if method.server_streaming else channel.unary_unary)(
            f"/{method.containing_service.full_name}/{method.name}",
            request_serializer=self._takes.SerializeToString,
            response_deserializer=GetMessageClass(method.output_type).FromString,
        )
        self._act = self._stream if method.server_streaming else self._pages if page is not None else self._answer

    def __call__(self, *, timeout_seconds: float | None = None, **fields: Any) -> Any:
        """Raises ValueError for a name that is no field, TypeError for a value of the wrong type."""
        request: Any = self._takes(**fields)
        if self._writes and not request.request_id:
            request.request_id = str(uuid.uuid4())
        return self._act(request, timeout_seconds)

    def _tries(self, request: Any, timeout_seconds: float | None) -> Tries:
        patience = self._patience
        if timeout_seconds is not None:
            patience = replace(patience, timeout_seconds=timeout_seconds)
        return Tries(patience, request.request_id if self._writes else "")

    @abstractmethod
    def _answer(self, request: Any, timeout_seconds: float | None) -> Any: ...

    @abstractmethod
    def _pages(self, request: Any, timeout_seconds: float | None) -> Any: ...

    @abstractmethod
    def _stream(self, request: Any, timeout_seconds: float | None) -> Any: ...


class BlockingMethod(Method):
    """On a channel of grpc."""

    def _answer(self, request: Any, timeout_seconds: float | None) -> Any:
        tries = self._tries(request, timeout_seconds)
        while True:
            try:
                return self._invoke(request, timeout=tries.begin(), metadata=self._metadata)
            except grpc.RpcError as failed:
                pause = tries.pause(error_of(failed, tries.request_id))
            time.sleep(pause)

    def _pages(self, request: Any, timeout_seconds: float | None) -> Iterator[Any]:
        while True:
            page = self._answer(request, timeout_seconds)
            yield from getattr(page, self._page)
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    def _stream(self, request: Any, timeout_seconds: float | None) -> Iterator[Any]:
        call = self._invoke(request, timeout=timeout_seconds, metadata=self._metadata)
        try:
            yield from call
        except grpc.RpcError as failed:
            raise error_of(failed) from None
        finally:
            call.cancel()


class AsyncMethod(Method):
    """On a channel of grpc.aio: an awaitable, or an asynchronous iterator."""

    async def _answer(self, request: Any, timeout_seconds: float | None) -> Any:
        tries = self._tries(request, timeout_seconds)
        while True:
            try:
                return await self._invoke(request, timeout=tries.begin(), metadata=self._metadata)
            except grpc.RpcError as failed:
                pause = tries.pause(error_of(failed, tries.request_id))
            await asyncio.sleep(pause)

    async def _pages(self, request: Any, timeout_seconds: float | None) -> AsyncIterator[Any]:
        while True:
            page = await self._answer(request, timeout_seconds)
            for one in getattr(page, self._page):
                yield one
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    async def _stream(self, request: Any, timeout_seconds: float | None) -> AsyncIterator[Any]:
        call = self._invoke(request, timeout=timeout_seconds, metadata=self._metadata)
        try:
            async for one in call:
                yield one
        except grpc.RpcError as failed:
            raise error_of(failed) from None
        finally:
            call.cancel()

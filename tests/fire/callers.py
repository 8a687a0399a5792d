"""A caller who repeats one write with the same request_id until he is told how it ended, whatever happens to him."""

import asyncio
from collections import Counter
from random import Random
from typing import Any

import grpc
from google.protobuf.message import Message
from google.rpc import error_details_pb2
from grpc_status.rpc_status import from_call

from tests.fire.writes import Write

DEADLINES = (0.02, 0.1, 0.5, 3.0, 10.0)
"""Seconds; the first ones end before the server does."""
PAUSE_SECONDS_MAX = 0.3
DROPS = 0.15
"""The share of calls whose connection the caller drops in the middle."""
DROP_SECONDS_MAX = 0.05
AGAIN = frozenset({
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.ABORTED,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
})  # fmt: skip
"""Codes that say nothing about how the write ended: it is to be sent again."""

Told = tuple[str, Any]
"""``("OK", the answer)``, or the code and what the error says."""


class Caller:
    """One client of `write`; `met` counts what it was answered."""

    def __init__(self, address: str, write: Write, rng: Random, met: Counter[str]) -> None:
        self._address, self._write, self._rng, self._met = address, write, rng, met

    async def told(self) -> Told:
        """How the write ended; over one connection after the other, since some are dropped."""
        while True:
            async with grpc.aio.insecure_channel(self._address) as channel:
                dropping = asyncio.create_task(self._drop(channel)) if self._rng.random() < DROPS else None
                try:
                    found = await self._ask(channel, forever=dropping is None)
                except (grpc.aio.UsageError, asyncio.CancelledError):
                    if dropping is None or not dropping.done():
                        raise
                    self._met["connection dropped"] += 1
                    found = None
                finally:
                    if dropping:
                        dropping.cancel()
            if found is not None:
                return found

    async def _ask(self, channel: grpc.aio.Channel, *, forever: bool) -> Told | None:
        """Once, or until it is known."""
        while True:
            found = await self._call(channel)
            if found is not None or not forever:
                return found
            await asyncio.sleep(self._rng.uniform(0, PAUSE_SECONDS_MAX))

    async def _call(self, channel: grpc.aio.Channel) -> Told | None:
        method = self._write.method
        ask = channel.unary_unary(
            method.full_name,
            request_serializer=method.takes.SerializeToString,
            response_deserializer=method.answers.FromString,
        )
        try:
            answer = await ask(self._write.request, timeout=self._rng.choice(DEADLINES))
        except grpc.aio.AioRpcError as error:
            self._met[f"answered {error.code().name}"] += 1
            return None if error.code() in AGAIN else (error.code().name, _said(error))
        self._met["answered OK"] += 1
        return "OK", _shown(answer, method.shown)

    async def _drop(self, channel: grpc.aio.Channel) -> None:
        await asyncio.sleep(self._rng.uniform(0, DROP_SECONDS_MAX))
        await channel.close(grace=0)


def _shown(answer: Message, field: str) -> Message:
    """What the answer shows, without the client secret: it is never stored, so a repetition does not show it."""
    shown: Message = getattr(answer, field)
    if "client_secret" in shown.DESCRIPTOR.fields_by_name:
        shown.ClearField("client_secret")
    return shown


def _said(error: Any) -> tuple[str, ...]:
    status: Any = from_call(error)
    info = error_details_pb2.ErrorInfo()
    for detail in status.details:
        if detail.Is(info.DESCRIPTOR):
            detail.Unpack(info)
    return (status.message, info.reason, *(f"{name}={info.metadata[name]}" for name in sorted(info.metadata)))

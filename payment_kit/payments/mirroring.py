"""Stripe's answers to our own writes, put into the mirror so that whoever writes can read it back at once.

An answer is ordered like every other state (payment_kit/mirror/order.py), with two things known besides: it is not
older than the object's creation, and it is newer than what the row held before Stripe was asked. Of an answer that
Stripe only repeats the first alone is known: it gives way to a later row, and then the object is read again.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import psycopg
import structlog

from payment_kit.errors import Problem
from payment_kit.mirror import writer
from payment_kit.mirror.catalogue import CATALOGUE
from payment_kit.mirror.normalise import read_states
from payment_kit.mirror.order import Key, State
from payment_kit.payments.reading import Found, Reader, reason_of
from payment_kit.stripe_gateway import Reply, StripeGateway
from payment_kit.stripe_gateway.gateway import API_VERSION

Payload = dict[str, Any]

REFETCHES_MAX = 3
"""How often an object that changes while we read it is read again; its events bring the rest."""

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Seen:
    """What one write saw of Stripe: states to store, and the objects its caller expects to read back."""

    states: list[State] = field(default_factory=list)
    own: list[Key] = field(default_factory=list)

    def add(self, reply: Reply, *, before: Found | None = None) -> Payload:
        """Note an answer and return its own object in canonical shape. `before`: its row before Stripe was asked."""
        states = states_of(reply)
        if before and not reply.replayed:
            states[0] = replace(states[0], after=before.event, time=max(states[0].time, before.time))
        self.own.append(states[0].key)
        # A later answer of the same write knows better about the same object.
        known = {state.key for state in states}
        self.states = [state for state in self.states if state.key not in known] + states
        return dict(states[0].raw)


class Mirror:
    """Writes what was seen, and reads again what the mirror cannot place."""

    def __init__(self, reader: Reader, gateway: StripeGateway, livemode: bool) -> None:
        self._reader = reader
        self._gateway = gateway
        self._livemode = livemode

    async def standing(self, kind: str, id_: str) -> Found | None:
        """What the row of an object holds now."""
        return await self._reader.find(kind, id_)

    async def write(self, connection: writer.Connection, seen: Seen) -> Sequence[Key]:
        """Write within the caller's transaction; returns what is to be read again.

        These are the caller's own objects whose row did not take the answer, and others nobody can put in order.
        """
        written = await writer.write(connection, self._reader.account, self._livemode, seen.states)
        refused = {
            state.key
            for state, outcome in zip(seen.states, written.outcomes, strict=True)
            if outcome in ("stale", "undecided")
        }
        unclear = {
            state.key
            for state, outcome in zip(seen.states, written.outcomes, strict=True)
            if outcome == "undecided" and CATALOGUE[state.object].at is not None
        }
        return [key for key in dict.fromkeys([*seen.own, *sorted(unclear)]) if key in refused]

    async def read_again(self, keys: Sequence[Key]) -> None:
        """Fetch objects until the mirror takes what Stripe answers; failures are only logged, the write is done."""
        for kind, id_ in keys:
            try:
                await self._refetch(kind, id_)
            except (Problem, psycopg.Error) as trouble:
                log.warning("read_again_failed", object=kind, id=id_, reason=reason_of(trouble))

    async def _refetch(self, kind: str, id_: str) -> None:
        for _ in range(REFETCHES_MAX):
            seen = Seen()
            before = await self.standing(kind, id_)
            seen.add(await self._gateway.request("get", f"{CATALOGUE[kind].path}/{id_}"), before=before)
            async with self._reader.connection() as connection:
                if not await self.write(connection, seen):
                    return


def states_of(reply: Reply) -> list[State]:
    """The canonical states in an answer, its own object first."""
    return read_states([reply.body], time=reply.server_time, request_id=reply.request_id, api_version=API_VERSION)

"""The mirror's writer against PostgreSQL's own COPY, on the same payloads.

Both get what they work on ready made: COPY its lines of text (id, JSON), the writer the states that pages turn into.
Reading Stripe and turning its answers into states is in neither figure; it is in those of the backfill. COPY has one
connection, as it has; the writer works as in a backfill, where each kind is a stream and so many are written at once.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

import orjson
import psycopg

from benchmarks.peers.contenders import OURS, Place
from benchmarks.peers.copies import PAGE_MAX, Copies
from benchmarks.peers.laboratory import Laboratory
from benchmarks.peers.recording import COMPARED
from payment_kit.database.connection import open_pool
from payment_kit.mirror.backfill import STATES_AT_ONCE, STREAMS_AT_ONCE
from payment_kit.mirror.concurrently import each
from payment_kit.mirror.normalise import read_states
from payment_kit.mirror.order import State
from payment_kit.mirror.writer import write
from payment_kit.stripe_gateway.gateway import API_VERSION

BLOCK_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class Written:
    """Objects per second of the writer and of COPY."""

    objects: int
    writer: float
    copy: float


def writing(lab: Laboratory, copies: int) -> Written:
    """Write every object of the compared kinds once by each, into a database of ours without any rows."""
    source = Copies(lab.recording, copies)
    payloads = {kind: list(source.all(kind)) for kind in COMPARED}
    lines = b"".join(_line(payload) for found in payloads.values() for payload in found)
    streams = [_states(found) for found in payloads.values()]
    place = lab.fresh(OURS, "http://127.0.0.1")
    lab.settle()
    copied = _copy(place, lines)
    lab.settle()
    written = asyncio.run(_write(place, lab.recording.account["id"], streams))
    objects = sum(map(len, payloads.values()))
    return Written(objects, objects / written, objects / copied)


def _line(payload: bytes) -> bytes:
    escaped = payload.replace(b"\\", b"\\\\")
    id_: str = orjson.loads(payload)["id"]
    return id_.encode() + b"\t" + escaped + b"\n"


def _states(payloads: Sequence[bytes]) -> list[State]:
    now = int(time.time())
    states: list[State] = []
    for first in range(0, len(payloads), PAGE_MAX):
        page = [orjson.loads(payload) for payload in payloads[first : first + PAGE_MAX]]
        states += read_states(page, time=now, request_id=f"req_{first}", api_version=API_VERSION)
    return states


def _copy(place: Place, lines: bytes) -> float:
    with psycopg.connect(place.dsn) as connection:
        connection.execute("create table public.copied (id text primary key, raw jsonb not null)")
        connection.commit()
        began = time.perf_counter()
        with connection.cursor().copy("copy public.copied (id, raw) from stdin") as copy:
            for first in range(0, len(lines), BLOCK_BYTES):
                copy.write(lines[first : first + BLOCK_BYTES])
        connection.commit()
        return time.perf_counter() - began


async def _write(place: Place, account: str, streams: Sequence[Sequence[State]]) -> float:
    async with await open_pool(place.dsn, max_size=STREAMS_AT_ONCE, name="payment-kit") as pool:

        async def stream(states: Sequence[State]) -> None:
            for first in range(0, len(states), STATES_AT_ONCE):
                async with pool.connection() as connection:
                    await write(connection, account, False, states[first : first + STATES_AT_ONCE])

        began = time.perf_counter()
        await each(stream, streams, STREAMS_AT_ONCE)
        return time.perf_counter() - began

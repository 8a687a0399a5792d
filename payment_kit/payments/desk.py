"""What every resource works with: the mirror to read, Stripe to write, one account."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from payment_kit.database.connection import Pool
from payment_kit.mirror.watching import Watching
from payment_kit.payments.idempotency import Attempt, Writes
from payment_kit.payments.reading import Reader
from payment_kit.stripe_gateway import StripeGateway

Payload = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Desk:
    """One account's open reader, writes and watched changes; made once per process by `open_desk`."""

    reader: Reader
    writes: Writes
    gateway: StripeGateway
    watching: Watching


def open_desk(pool: Pool, gateway: StripeGateway, *, account: str, livemode: bool) -> Desk:
    """A desk on an open pool and gateway; closing those is left to whoever opened them."""
    reader = Reader(pool, account)
    return Desk(reader, Writes(reader, gateway, livemode=livemode), gateway, Watching(pool, account))


async def replaced_metadata(attempt: Attempt, path: str, metadata: Mapping[str, str]) -> Payload | str:
    """The `metadata` parameter that leaves exactly `metadata` on the object at `path`.

    Stripe merges, so keys that are to go are named with an empty value; which those are is read once and kept, because
    a repetition must send the same.
    """
    if not metadata:
        return ""
    plan = await attempt.decide(lambda: _unwanted_keys(attempt, path, metadata))
    return {**dict.fromkeys(plan["remove_metadata"], ""), **metadata}


async def _unwanted_keys(attempt: Attempt, path: str, metadata: Mapping[str, str]) -> Payload:
    current = (await attempt.look(path)).get("metadata") or {}
    return {"remove_metadata": sorted(current.keys() - metadata.keys())}

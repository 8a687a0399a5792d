"""Ask Stripe for the objects whose newest state nobody could tell from the events."""

from collections.abc import Sequence

import structlog

from payment_kit.errors import NotFound, Problem
from payment_kit.mirror.catalogue import CATALOGUE
from payment_kit.mirror.concurrently import each
from payment_kit.mirror.normalise import read_states
from payment_kit.mirror.order import State
from payment_kit.mirror.writer import Undecided
from payment_kit.stripe_gateway.gateway import API_VERSION, StripeGateway

REQUESTS_AT_ONCE = 8
_log = structlog.get_logger()


async def refetch(
    gateway: StripeGateway, undecided: Sequence[Undecided], *, connected_account: str | None = None
) -> dict[Undecided, list[State]]:
    """The present state of each object, marked as newer than what its row held; no state when Stripe has it no more.

    An object Stripe gave no answer about, for whatever reason, is missing from the result: its events stay undecided
    and the others go on. Call it outside any transaction.
    """

    async def one(wanted: Undecided) -> tuple[Undecided, list[State] | None]:
        return wanted, await _fetch(gateway, wanted, connected_account)

    answers = await each(one, dict.fromkeys(undecided), REQUESTS_AT_ONCE)
    return {wanted: states for wanted, states in answers if states is not None}


async def _fetch(gateway: StripeGateway, wanted: Undecided, connected_account: str | None) -> list[State] | None:
    path = f"{CATALOGUE[wanted.object].path}/{wanted.id}"
    try:
        reply = await gateway.request("get", path, account=connected_account)
    except NotFound:
        # No tombstone: a wrong key answers the same. If it was deleted, its own event says so.
        return []
    except Problem as problem:
        _log.warning("object not fetched again", object=wanted.object, id=wanted.id, code=problem.code)
        return None
    return read_states(
        [reply.body],
        # The request began after the row's state was known, so it cannot be of an earlier second.
        time=max(reply.server_time, wanted.time),
        request_id=reply.request_id,
        api_version=API_VERSION,
        after=wanted.seen,
    )

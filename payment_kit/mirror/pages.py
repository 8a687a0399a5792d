"""What lists brought, into the mirror: many pages in one write."""

from collections.abc import Sequence

from payment_kit.mirror.accounts import Account
from payment_kit.mirror.normalise import read_states
from payment_kit.mirror.order import State
from payment_kit.mirror.writer import Connection, write
from payment_kit.stripe_gateway.gateway import API_VERSION, Page

STATES_AT_ONCE = 1000


def page_states(page: Page) -> list[State]:
    """The states a page holds, with the time of its request."""
    return read_states(page.data, time=page.server_time, request_id=page.request_id, api_version=API_VERSION)


async def write_pages(connection: Connection, account: Account, pages: Sequence[Page]) -> int:
    """Write the objects of some pages with the time of each page's request; returns how many rows changed.

    All in one order, that of the writer: in a transaction around it, pages written one by one could deadlock.
    """
    return await write_reads(connection, account, [state for page in pages for state in page_states(page)])


async def write_reads(connection: Connection, account: Account, states: Sequence[State]) -> int:
    """Write what was read, in the writer's order; returns how many rows changed."""
    if len(states) > STATES_AT_ONCE:
        states = sorted(states, key=lambda state: state.key)
    changed = 0
    for first in range(0, len(states), STATES_AT_ONCE):
        some = states[first : first + STATES_AT_ONCE]
        written = await write(connection, account.id, account.livemode, some, platform=account.key_account)
        changed += written.count("applied")
    return changed

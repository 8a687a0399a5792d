"""Every account one key reaches: its own, and those connected to it, each with streams of its own.

A connected account can leave the platform at any time, and Stripe then answers 403 for it. So one account's failure is
remembered where its status shows it, and stops nobody else.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import orjson
import structlog

from payment_kit.database.connection import Pool
from payment_kit.database.queries import sql
from payment_kit.errors import Problem
from payment_kit.mirror.accounts import Account, connected, find_connected
from payment_kit.mirror.concurrently import each

CONNECTED_AT_ONCE = 4
STREAM = "events"

_REFUSED = sql("sync.refused")
_log = structlog.get_logger()
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Done(Generic[T]):
    """What was done for one account, or the problem that ended it."""

    account: Account
    result: T | None
    problem: Problem | None = None


async def for_each_account(
    pool: Pool, platform: Account, work: Callable[[Account], Awaitable[T]], *, only: str | None = None
) -> list[Done[T]]:
    """Do `work` for the account of a key, then for the accounts connected to it, several at a time.

    `only` names the one to do it for; nothing is done when the key does not reach it. Raises what `work` raises for the
    key's own account; a `Problem` of a connected one is in its `Done`.
    """
    done: list[Done[T]] = []
    if only in (None, platform.id):
        done.append(Done(platform, await work(platform)))
    if only == platform.id:
        return done
    await find_connected(pool, platform)
    accounts = [account for account in await connected(pool, platform) if only in (None, account.id)]

    async def one(account: Account) -> Done[T]:
        try:
            return Done(account, await work(account))
        except Problem as problem:
            await _remember(pool, account, problem)
            return Done(account, None, problem)

    return done + await each(one, accounts, CONNECTED_AT_ONCE)


async def _remember(pool: Pool, account: Account, problem: Problem) -> None:
    _log.warning("a connected account could not be read", account=account.id, code=problem.code)
    refused = orjson.dumps({"refused": f"{problem.code}: {problem.what}"}).decode()
    async with pool.connection() as connection:
        await connection.execute(_REFUSED, {"account_id": account.id, "stream": STREAM, "refused": refused})

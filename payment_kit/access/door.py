"""Who is let in: a key, a token or a certificate becomes a caller, or the call is refused and the audit says so."""

import asyncio
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from payment_kit.access.audit import Audit, Entry
from payment_kit.access.callers import ANYONE, NAMES, Caller
from payment_kit.access.directory import REFRESH_SECONDS, Directory
from payment_kit.access.keys import read_key
from payment_kit.access.rate import Rate
from payment_kit.access.tokens import Tokens
from payment_kit.database.connection import Pool
from payment_kit.errors import Forbidden, Unauthenticated

KEEP_SECONDS = REFRESH_SECONDS / 2
BEARER = "Bearer "


class Door:
    """``async with Door(pool, account, livemode=…)``: one for each account a process serves.

    With `asks` false everybody is let in as `ANYONE`; what is written is audited all the same.
    """

    def __init__(
        self, pool: Pool, account: str, *, livemode: bool, tokens: Tokens | None = None, asks: bool = True
    ) -> None:
        self.asks = asks
        self.audit = Audit(pool, account)
        self._directory = Directory(pool, account, livemode=livemode)
        self._tokens = tokens
        self._rate = Rate()
        self._keeping: asyncio.Task[None] | None = None

    async def caller(self, authorization: str | None, identities: Sequence[str]) -> Caller:
        """Who calls with that header, or without one by a certificate of those identities.

        Raises `Unauthenticated`, in the same words whatever is wrong.
        """
        if not self.asks:
            return ANYONE
        self._directory.require_fresh()
        found = self._look(authorization, identities)
        if found is None:
            await self._directory.look_again()
            found = self._look(authorization, identities)
        if found is None:
            raise Unauthenticated("UNAUTHENTICATED", "The call does not say who calls, or not in a way that is good.")
        return found

    def admit(self, caller: Caller, role: int) -> None:
        """Count a call. Raises `Forbidden` PERMISSION_DENIED and `Busy` CALLER_RATE_LIMITED."""
        if not caller.may(role):
            needed = NAMES.get(role)
            what = f"This needs the role {needed}." if needed else "This is open to nobody."
            raise Forbidden("PERMISSION_DENIED", what, metadata={"role": needed} if needed else {})
        self._rate.take(caller)

    async def refused(self, entry: Entry) -> None:
        """Put a refusal into the audit."""
        await self.audit.refused(entry)

    def _look(self, authorization: str | None, identities: Sequence[str]) -> Caller | None:
        if authorization is None:
            known = (self._directory.by_identity(identity) for identity in identities[:1])
            return next(known, None)
        if not authorization.startswith(BEARER):
            return None
        bearer = authorization[len(BEARER) :]
        key = read_key(bearer)
        if key is not None:
            return self._directory.by_key(key)
        if self._tokens is None or bearer.startswith("pk_"):
            return None
        return self._tokens.caller(bearer, self._directory.named)

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(KEEP_SECONDS)
            if self.asks:
                await self._directory.keep()
            await self.audit.keep()

    async def __aenter__(self) -> Self:
        if self.asks:
            await self._directory.refresh()
        self._keeping = asyncio.create_task(self._keep())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._keeping:
            self._keeping.cancel()
        await self._directory.flush()
        await self.audit.close()

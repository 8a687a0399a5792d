"""The one rule by which a webhook is accepted, whichever door it comes through: check, store, then acknowledge."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pydantic import SecretStr

from payment_kit.errors import UsageProblem
from payment_kit.mirror.inbox import Inbox, Receipt, Source, envelope
from payment_kit.mirror.signature import verify


@dataclass(frozen=True, slots=True)
class Intake:
    """What an installation accepts: events signed with one of `secrets`, of its own mode, no larger than the bound."""

    inbox: Inbox
    secrets: Sequence[SecretStr]
    livemode: bool
    tolerance_seconds: int = 300
    body_bytes_max: int = 1 << 20
    now: Callable[[], float] = time.time

    async def accept(self, body: bytes, signature: str | None, source: Source) -> Receipt:
        """Verify and store `body`; when this returns the event is durable and may be acknowledged.

        Raises `UsageProblem` BODY_TOO_LARGE, WEBHOOK_SECRET_MISSING, SIGNATURE_INVALID, TIMESTAMP_OUT_OF_TOLERANCE,
        BODY_INVALID or LIVEMODE_MISMATCH, with nothing stored; `Unavailable` while the database is away.
        """
        if len(body) > self.body_bytes_max:
            raise too_large(self.body_bytes_max)
        if not self.secrets:
            raise UsageProblem("WEBHOOK_SECRET_MISSING", "This installation knows no webhook signing secret.")
        secrets = [secret.get_secret_value() for secret in self.secrets]
        verify(body, signature, secrets, self.now(), self.tolerance_seconds)
        event = envelope(body)
        if event.livemode != self.livemode:
            sent, mine = ("live", "test") if event.livemode else ("test", "live")
            raise UsageProblem("LIVEMODE_MISMATCH", f"This is a {sent} event and the installation is in {mine} mode.")
        return await self.inbox.store(event, source)


def too_large(limit: int) -> UsageProblem:
    """The refusal of a body over the bound."""
    return UsageProblem("BODY_TOO_LARGE", f"The body is over {limit} bytes.")

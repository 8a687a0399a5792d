"""The one rule by which a webhook is accepted, whichever door it comes through: check, store, then acknowledge."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import structlog
from pydantic import SecretStr

from payment_kit.errors import UsageProblem
from payment_kit.mirror.inbox import Inbox, Receipt, Source, envelope
from payment_kit.mirror.signature import verify

SAID_AGAIN_SECONDS = 3600.0
_log = structlog.get_logger()


class ClockAlarm:
    """Says that this machine's clock is off, once for all the deliveries that are refused for it.

    A signature that is right and of another time is one of two things: a clock that is off, or a delivery that was kept
    back and sent again by somebody else. It is said again when a delivery was accepted in between, or after an hour of
    `monotonic`.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._silent_until = float("-inf")

    def accepted(self) -> None:
        """The clock is right enough."""
        self._silent_until = float("-inf")

    def refused(self, skew_seconds: str, tolerance_seconds: int) -> None:
        """A right signature is `skew_seconds` away from this machine's clock; positive when the clock is ahead."""
        now = self._monotonic()
        if now >= self._silent_until:
            self._silent_until = now + SAID_AGAIN_SECONDS
            _log.error(
                "webhooks are refused: this machine's clock and Stripe's signatures disagree; set the clock (NTP), "
                "catch-up brings what was refused",
                ahead_of_stripe_seconds=int(skew_seconds),
                tolerance_seconds=tolerance_seconds,
            )


@dataclass(frozen=True, slots=True)
class Intake:
    """What an installation accepts: events signed with one of `secrets`, of its own mode, no larger than the bound."""

    inbox: Inbox
    secrets: Sequence[SecretStr]
    livemode: bool
    tolerance_seconds: int = 300
    body_bytes_max: int = 1 << 20
    now: Callable[[], float] = time.time
    clock: ClockAlarm = field(default_factory=ClockAlarm)

    async def accept(self, body: bytes, signature: str | None, source: Source) -> Receipt:
        """Verify and store `body`; when this returns the event is durable and may be acknowledged.

        Raises `UsageProblem` BODY_TOO_LARGE, WEBHOOK_SECRET_MISSING, SIGNATURE_INVALID, TIMESTAMP_OUT_OF_TOLERANCE,
        BODY_INVALID or LIVEMODE_MISMATCH, with nothing stored; `Unavailable` while the database is away.
        """
        if len(body) > self.body_bytes_max:
            raise too_large(self.body_bytes_max)
        if not self.secrets:
            raise UsageProblem("WEBHOOK_SECRET_MISSING", "This installation knows no webhook signing secret.")
        self._verify(body, signature)
        event = envelope(body)
        if event.livemode != self.livemode:
            sent, mine = ("live", "test") if event.livemode else ("test", "live")
            what = f"This is a {sent} event and the installation is in {mine} mode."
            raise UsageProblem("LIVEMODE_MISMATCH", what, metadata={"account": event.account} if event.account else {})
        return await self.inbox.store(event, source)

    def _verify(self, body: bytes, signature: str | None) -> None:
        secrets = [secret.get_secret_value() for secret in self.secrets]
        try:
            verify(body, signature, secrets, self.now(), self.tolerance_seconds)
        except UsageProblem as problem:
            if "skew_seconds" in problem.metadata:
                self.clock.refused(problem.metadata["skew_seconds"], self.tolerance_seconds)
            raise
        self.clock.accepted()


def too_large(limit: int) -> UsageProblem:
    """The refusal of a body over the bound."""
    return UsageProblem("BODY_TOO_LARGE", f"The body is over {limit} bytes.")

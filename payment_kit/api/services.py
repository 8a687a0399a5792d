"""What the services of the contract work with."""

import asyncio
from dataclasses import dataclass, field

from payment_kit.mirror.intake import Intake
from payment_kit.payments.desk import Desk


@dataclass(frozen=True, slots=True)
class Services:
    """What a server needs: the desk of one account and the rule by which webhooks are accepted.

    `stopping` is set when the server stops: streams end then.
    """

    desk: Desk
    intake: Intake
    stopping: asyncio.Event = field(default_factory=asyncio.Event)

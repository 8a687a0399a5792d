"""What most methods do: ask Stripe once, mirror the answer and give it back."""

from dataclasses import dataclass
from typing import Literal

from payment_kit.errors import Unavailable
from payment_kit.payments.desk import Desk, Payload, replaced_metadata
from payment_kit.payments.idempotency import Attempt, Outcome, Request


@dataclass(frozen=True, slots=True)
class Target:
    """What a write is about: Stripe's name of the object, its id ("" for one to be made), and the path to POST to."""

    object: str
    id: str
    path: str

    @property
    def changes(self) -> tuple[str, str] | None:
        """The object that is there already."""
        return (self.object, self.id) if self.id else None


async def ask(desk: Desk, verb: Literal["get", "post"], path: str, params: Payload) -> Payload:
    """Put a question that makes and changes nothing, and return the answer; the mirror does not hold it.

    Raises `Unavailable` STRIPE_UNREACHABLE when there was no answer: it can simply be asked again.
    """
    try:
        return (await desk.gateway.request(verb, path, params)).body
    except Unavailable as problem:
        if problem.reason != "STRIPE_OUTCOME_UNKNOWN":
            raise
        raise Unavailable("STRIPE_UNREACHABLE", "Stripe gave no usable answer.", metadata=problem.metadata) from None


async def write(desk: Desk, request: Request, target: Target, params: Payload) -> Outcome:
    """Make an object, or do something with one."""

    async def work(attempt: Attempt) -> Payload:
        return await attempt.post(target.path, params, changes=target.changes)

    return await desk.writes.once(request, work)


async def delete(desk: Desk, request: Request, target: Target, params: Payload) -> Outcome:
    """End an object, or delete it for good."""

    async def work(attempt: Attempt) -> Payload:
        return await attempt.delete(target.path, params, changes=(target.object, target.id))

    return await desk.writes.once(request, work)


async def update(desk: Desk, request: Request, target: Target, params: Payload) -> Outcome:
    """Change an object; an empty value unsets, metadata is replaced."""

    async def work(attempt: Attempt) -> Payload:
        given = dict(params)
        if "metadata" in params:
            given["metadata"] = await replaced_metadata(attempt, target.path, params["metadata"])
        return await attempt.post(target.path, given, changes=target.changes)

    return await desk.writes.once(request, work)

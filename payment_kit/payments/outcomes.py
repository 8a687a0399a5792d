"""The outcome of a write as it is stored: an answer or a definite error, never a client secret."""

from typing import Any

import orjson

from payment_kit import errors
from payment_kit.errors import Problem

Payload = dict[str, Any]

STATUS_OK = 200
SECRETS = frozenset({"client_secret"})

# Errors that a repetition would not meet again once their cause is gone; everything else is definite.
_PASSING_CLASSES = (errors.Conflict, errors.Busy, errors.Unavailable, errors.Broken)
_PASSING_REASONS = frozenset(
    {"STRIPE_PERMISSION_DENIED", "REQUEST_ID_REUSED", "REQUEST_ID_MISSING", "DEADLINE_EXCEEDED"}
)
_CLASSES: dict[str, type[Problem]] = {
    kind.__name__: kind for kind in (errors.UsageProblem, errors.NotFound, errors.Refused, errors.Declined)
}


def is_definite(problem: Problem) -> bool:
    """True when Stripe has decided and repeating the same request must answer the same."""
    return not isinstance(problem, _PASSING_CLASSES) and problem.reason not in _PASSING_REASONS


def encode(outcome: Payload | Problem) -> tuple[int, bytes]:
    """The HTTP status Stripe gave (200 or the error's) and the bytes that `decode` reads."""
    if isinstance(outcome, Problem):
        status = int(outcome.metadata.get("http_status", "400"))
        return status, orjson.dumps(
            {
                "error": type(outcome).__name__,
                "reason": outcome.reason,
                "what": outcome.what,
                "next_step": outcome.next_step,
                "metadata": outcome.metadata,
                "field": outcome.field,
            }
        )
    return STATUS_OK, orjson.dumps({"answer": without_secrets(outcome)})


def decode(stored: bytes) -> Payload | Problem:
    """The stored answer, or the stored error to be raised again."""
    value: dict[str, Any] = orjson.loads(stored)
    if "answer" in value:
        answer: Payload = value["answer"]
        return answer
    kind = _CLASSES[value["error"]]
    return kind(
        value["reason"],
        value["what"],
        next_step=value["next_step"],
        metadata=value["metadata"],
        field=value["field"],
    )


def object_of(outcome: Payload | Problem) -> str:
    """The id of what a write made or changed, of a declined one the payment it left behind; "" when there is none."""
    found = outcome.metadata.get("payment_intent") if isinstance(outcome, Problem) else outcome.get("id")
    return found if isinstance(found, str) else ""


def without_secrets(payload: Payload) -> Payload:
    """The payload without what only the caller of the moment may see."""
    return {name: value for name, value in payload.items() if name not in SECRETS}

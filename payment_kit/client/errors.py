"""What a call can fail with: one class for each code of gRPC, made from google.rpc.Status (AIP-193).

    PaymentKitError
    ├── InvalidArgument       `field_violations` name what to correct
    ├── NotFound
    ├── AlreadyExists
    ├── FailedPrecondition    a rule or a state forbids it; `reason` CARD_DECLINED: `metadata` has `decline_code`
    ├── Aborted               somebody else is at it; repeat after `retry_delay_seconds`
    ├── Unauthenticated
    ├── PermissionDenied
    ├── ResourceExhausted     a limit was met; repeat after `retry_delay_seconds` when there is one
    ├── Unavailable           the service, its database or Stripe is away
    ├── DeadlineExceeded
    ├── Cancelled
    ├── Unimplemented         the service is older than this client
    └── Internal              the service's own fault, and every other code

Ask `outcome_unknown` first: it is true when a write may have happened.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

DOMAIN = "payment_kit"
IN_PROGRESS = "REQUEST_IN_PROGRESS"
# Also with a code that otherwise is an answer: Stripe may have forgotten the key by which a write is asked about.
OPEN = frozenset({IN_PROGRESS, "STRIPE_OUTCOME_UNKNOWN"})


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """What is wrong with one field of the request: its path, a sentence, and a reason for programs."""

    field: str
    description: str
    reason: str


class PaymentKitError(Exception):
    """A call failed.

    `reason` is a name of docs/errors.md, empty when the service never answered. `metadata` holds what Stripe said
    (`code`, `decline_code`, …). `retry_delay_seconds` is how long to wait, when the service said so. `request_id` is
    that of the write, for repeating it and for finding it in the service's log; empty for a read.
    """

    code: grpc.StatusCode
    reason: str
    message: str
    metadata: Mapping[str, str]
    field_violations: tuple[FieldViolation, ...]
    retry_delay_seconds: float | None
    request_id: str
    outcome_unknown: bool
    """The write may or may not have happened. Repeat it with the same request_id: it cannot happen twice.

    A FailedPrecondition of which that is true is too old to be repeated: its `message` says where to look.
    """

    def __init__(self, code: grpc.StatusCode, message: str, details: "Details", request_id: str = "") -> None:
        super().__init__(f"{code.name} {details.reason}: {message}" if details.reason else f"{code.name}: {message}")
        self.code = code
        self.message = message
        self.reason = details.reason
        self.metadata = details.metadata
        self.field_violations = details.field_violations
        self.retry_delay_seconds = details.retry_delay_seconds
        self.request_id = request_id
        self.outcome_unknown = False

    @property
    def undecided(self) -> bool:
        """Whether this failure leaves open if a write has happened."""
        return self.code in _UNDECIDED or self.reason in OPEN

    @property
    def before_anything(self) -> bool:
        """Whether the service turned the call away without looking at what became of the write."""
        return self.code in _TURNED_AWAY


class InvalidArgument(PaymentKitError):
    """A field breaks a rule; `field_violations` say which."""


class NotFound(PaymentKitError):
    """There is no such object, or the caller may not see it."""


class AlreadyExists(PaymentKitError):
    """An object with this key exists."""


class FailedPrecondition(PaymentKitError):
    """A rule or a state forbids it, or the payment was declined; repeating the call answers the same."""


class Aborted(PaymentKitError):
    """The same object or the same request_id is being worked on."""


class Unauthenticated(PaymentKitError):
    """The key is missing, wrong, expired or revoked."""


class PermissionDenied(PaymentKitError):
    """The key may not do this."""


class ResourceExhausted(PaymentKitError):
    """A limit was met."""


class Unavailable(PaymentKitError):
    """The service or what it depends on is away."""


class DeadlineExceeded(PaymentKitError):
    """No answer came in time."""


class Cancelled(PaymentKitError):
    """The call was given up."""


class Unimplemented(PaymentKitError):
    """The service does not know this method."""


class Internal(PaymentKitError):
    """The service failed in a way that should not happen."""


@dataclass(frozen=True, slots=True)
class Details:
    """The details of a status; empty when the service never answered."""

    reason: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    field_violations: tuple[FieldViolation, ...] = ()
    retry_delay_seconds: float | None = None


_CLASSES: Mapping[grpc.StatusCode, type[PaymentKitError]] = {
    grpc.StatusCode.INVALID_ARGUMENT: InvalidArgument,
    grpc.StatusCode.NOT_FOUND: NotFound,
    grpc.StatusCode.ALREADY_EXISTS: AlreadyExists,
    grpc.StatusCode.FAILED_PRECONDITION: FailedPrecondition,
    grpc.StatusCode.ABORTED: Aborted,
    grpc.StatusCode.UNAUTHENTICATED: Unauthenticated,
    grpc.StatusCode.PERMISSION_DENIED: PermissionDenied,
    grpc.StatusCode.RESOURCE_EXHAUSTED: ResourceExhausted,
    grpc.StatusCode.UNAVAILABLE: Unavailable,
    grpc.StatusCode.DEADLINE_EXCEEDED: DeadlineExceeded,
    grpc.StatusCode.CANCELLED: Cancelled,
    grpc.StatusCode.UNIMPLEMENTED: Unimplemented,
}
_UNDECIDED = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.DATA_LOSS,
    }
)
_TURNED_AWAY = frozenset(
    {
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.UNAUTHENTICATED,
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.UNIMPLEMENTED,
        grpc.StatusCode.ABORTED,
    }
)


def error_of(failed: grpc.RpcError, request_id: str = "") -> PaymentKitError:
    """The exception for a call of grpc or grpc.aio that failed."""
    call: Any = failed
    code = call.code()
    try:
        status = rpc_status.from_call(call)
    except ValueError:  # a proxy changed the code and left the details
        status = None
    details = _details(status) if status is not None else Details()
    message = status.message if status is not None else (call.details() or "")
    return _CLASSES.get(code, Internal)(code, message, details, request_id)


def _details(status: status_pb2.Status) -> Details:
    info, bad, retry = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest(), error_details_pb2.RetryInfo()
    for detail in status.details:
        known: Message
        for known in (info, bad, retry):
            detail.Unpack(known)  # does nothing for a detail of another type
    ours = info.domain == DOMAIN
    violations = (FieldViolation(one.field, one.description, one.reason) for one in bad.field_violations)
    return Details(
        reason=info.reason if ours else "",
        metadata=dict(info.metadata) if ours else {},
        field_violations=tuple(violations),
        retry_delay_seconds=retry.retry_delay.ToNanoseconds() / 1e9 if retry.HasField("retry_delay") else None,
    )

"""Problems as google.rpc.Status (AIP-193): one table from our reasons to gRPC's codes."""

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from payment_kit import errors
from payment_kit.errors import Problem

DOMAIN = "payment_kit"
# A client refuses a call whose trailers exceed 8 KiB. The text stands there three times, once with every byte that is
# not ASCII written as three.
MESSAGE_BYTES_MAX = 800
METADATA_BYTES_MAX = 255

CODES: dict[type[Problem], grpc.StatusCode] = {
    errors.UsageProblem: grpc.StatusCode.INVALID_ARGUMENT,
    errors.Unauthenticated: grpc.StatusCode.UNAUTHENTICATED,
    errors.Forbidden: grpc.StatusCode.PERMISSION_DENIED,
    errors.NotFound: grpc.StatusCode.NOT_FOUND,
    errors.Refused: grpc.StatusCode.FAILED_PRECONDITION,
    errors.Declined: grpc.StatusCode.FAILED_PRECONDITION,
    errors.Conflict: grpc.StatusCode.ABORTED,
    errors.Busy: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.Unavailable: grpc.StatusCode.UNAVAILABLE,
    errors.Broken: grpc.StatusCode.INTERNAL,
}
# Reasons whose code is not the one of their class.
REASON_CODES: dict[str, grpc.StatusCode] = {
    "STRIPE_PERMISSION_DENIED": grpc.StatusCode.PERMISSION_DENIED,
    "ALREADY_EXISTS": grpc.StatusCode.ALREADY_EXISTS,
    "DEADLINE_EXCEEDED": grpc.StatusCode.DEADLINE_EXCEEDED,
    "WEBHOOK_SECRET_MISSING": grpc.StatusCode.FAILED_PRECONDITION,
}
# When a call may be repeated if nobody told us: the classes of which a repetition can help.
RETRY_SECONDS: dict[type[Problem], float] = {errors.Busy: 1.0, errors.Conflict: 0.25}


def code_of(problem: Problem) -> grpc.StatusCode:
    """The gRPC code of a problem: its reason's, otherwise its class's."""
    by_class = (CODES[kind] for kind in type(problem).__mro__ if kind in CODES)
    return REASON_CODES.get(problem.reason) or next(by_class, grpc.StatusCode.INTERNAL)


def status_of(problem: Problem) -> status_pb2.Status:
    """The whole status: ErrorInfo always, BadRequest for a field, RetryInfo where waiting helps.

    ErrorInfo.metadata holds `pk_code` and what Stripe said: `code`, `decline_code`, `advice_code`, the ids of what the
    failed call left behind.
    """
    details: list[Message] = [_error_info(problem)]
    if problem.field and isinstance(problem, errors.UsageProblem):
        violation = error_details_pb2.BadRequest.FieldViolation(
            field=problem.field, description=_cut(problem.what), reason=problem.reason
        )
        details.append(error_details_pb2.BadRequest(field_violations=[violation]))
    seconds = problem.retry_after_seconds or RETRY_SECONDS.get(type(problem))
    if seconds is not None and isinstance(problem, errors.Busy | errors.Conflict):
        delay = duration_pb2.Duration()
        delay.FromMilliseconds(round(seconds * 1000))
        details.append(error_details_pb2.RetryInfo(retry_delay=delay))
    text = _cut(f"{problem.what} {problem.next_step}".strip())
    number: int = code_of(problem).value[0]
    return status_pb2.Status(code=number, message=text, details=[_packed(detail) for detail in details])


def _error_info(problem: Problem) -> error_details_pb2.ErrorInfo:
    metadata = {name: _cut(value, METADATA_BYTES_MAX) for name, value in problem.metadata.items()}
    if "stripe_code" in metadata:
        metadata.setdefault("code", metadata["stripe_code"])
    metadata["pk_code"] = problem.code
    return error_details_pb2.ErrorInfo(reason=problem.reason, domain=DOMAIN, metadata=metadata)


def _packed(message: Message) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(message)
    return packed


def _cut(text: str, bytes_max: int = MESSAGE_BYTES_MAX) -> str:
    encoded = text.encode("utf-8", "replace")
    if len(encoded) <= bytes_max:
        return encoded.decode()
    return encoded[: bytes_max - len("…".encode())].decode("utf-8", "ignore") + "…"

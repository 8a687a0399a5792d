"""Every problem has one gRPC code and says everything a program needs."""

import grpc
import pytest
from google.rpc import error_details_pb2

from payment_kit.api.status import MESSAGE_BYTES_MAX, code_of, status_of
from payment_kit.errors import Broken, Busy, Conflict, Declined, NotFound, Problem, Refused, Unavailable, UsageProblem


@pytest.mark.parametrize(
    ("problem", "code"),
    [
        (UsageProblem("FIELD_INVALID", "x"), grpc.StatusCode.INVALID_ARGUMENT),
        (UsageProblem("REQUEST_ID_REUSED", "x"), grpc.StatusCode.INVALID_ARGUMENT),
        (NotFound("RESOURCE_NOT_FOUND", "x"), grpc.StatusCode.NOT_FOUND),
        (Refused("STRIPE_STATE", "x"), grpc.StatusCode.FAILED_PRECONDITION),
        (Refused("ALREADY_EXISTS", "x"), grpc.StatusCode.ALREADY_EXISTS),
        (Refused("STRIPE_PERMISSION_DENIED", "x"), grpc.StatusCode.PERMISSION_DENIED),
        (Declined("CARD_DECLINED", "x"), grpc.StatusCode.FAILED_PRECONDITION),
        (Conflict("REQUEST_IN_PROGRESS", "x"), grpc.StatusCode.ABORTED),
        (Busy("STRIPE_RATE_LIMITED", "x"), grpc.StatusCode.RESOURCE_EXHAUSTED),
        (Unavailable("STRIPE_OUTCOME_UNKNOWN", "x"), grpc.StatusCode.UNAVAILABLE),
        (Unavailable("DEADLINE_EXCEEDED", "x"), grpc.StatusCode.DEADLINE_EXCEEDED),
        (Broken("STRIPE_KEY_REFUSED", "x"), grpc.StatusCode.INTERNAL),
        (Problem("INTERNAL", "x"), grpc.StatusCode.INTERNAL),
    ],
    ids=lambda value: value.reason if isinstance(value, Problem) else value.name,
)
def test_a_problem_has_the_code_of_its_reason_or_its_class(problem: Problem, code: grpc.StatusCode) -> None:
    assert code_of(problem) == code
    assert status_of(problem).code == code.value[0]


def test_busy_says_when_to_come_back() -> None:
    status = status_of(Busy("STRIPE_RATE_LIMITED", "x", retry_after_seconds=1.5))

    retry = error_details_pb2.RetryInfo()
    assert any(detail.Unpack(retry) for detail in status.details if detail.Is(retry.DESCRIPTOR))
    assert retry.retry_delay.ToMilliseconds() == 1500


def test_stripes_code_stands_under_code_and_texts_are_bounded() -> None:
    status = status_of(
        Refused("STRIPE_STATE", "x" * 5000, metadata={"stripe_code": "charge_disputed", "long": "y" * 5000})
    )

    info = error_details_pb2.ErrorInfo()
    assert any(detail.Unpack(info) for detail in status.details if detail.Is(info.DESCRIPTOR))
    assert (info.reason, info.metadata["code"]) == ("STRIPE_STATE", "charge_disputed")
    assert len(status.message.encode()) == MESSAGE_BYTES_MAX
    # Trailers over 8 KiB are dropped by gRPC.
    assert len(status.SerializeToString()) < 4096


def test_each_detail_is_there_at_most_once() -> None:
    status = status_of(UsageProblem("FIELD_INVALID", "x", field="name"))

    types = [detail.type_url for detail in status.details]
    assert len(types) == len(set(types)) == 2

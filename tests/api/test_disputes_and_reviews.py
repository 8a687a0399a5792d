"""DisputeService and ReviewService over a real channel."""

from typing import Any

import grpc
import pytest

from payment_kit.v1.common_pb2 import Money
from payment_kit.v1.dispute_pb2 import (
    CloseDisputeRequest,
    Dispute,
    DisputeEvidence,
    GetDisputeRequest,
    ListDisputesRequest,
    SubmitDisputeEvidenceRequest,
)
from payment_kit.v1.review_pb2 import ApproveReviewRequest, GetReviewRequest, ListReviewsRequest, Review

from ..fix_service import Service, failure, new_id
from . import calls


async def pay(service: Service, card: str, minor: int = 2_000, currency: str = "usd") -> str:
    """A payment with a card that leaves something behind; the id of its charge."""
    request = calls.payment(minor, currency, payment_method=f"pm_card_{card}")
    return (await service.payment_intents.CreatePaymentIntent(request)).payment_intent.latest_charge


async def disputed(service: Service, minor: int = 2_000, currency: str = "usd", card: str = "createDispute") -> Dispute:
    """A dispute the mirror has heard of."""
    charge = await pay(service, card, minor, currency)
    await calls.mirrored(service, "dispute")
    return (await service.disputes.ListDisputes(ListDisputesRequest(charge=charge))).disputes[0]


async def read(service: Service, id_: str) -> Dispute:
    return (await service.disputes.GetDispute(GetDisputeRequest(id=id_))).dispute


def evidence(dispute: Dispute, *, submit: bool | None, **texts: str) -> SubmitDisputeEvidenceRequest:
    said = DisputeEvidence(**texts) if texts else None
    return SubmitDisputeEvidenceRequest(request_id=new_id(), id=dispute.id, evidence=said, submit=submit)


@pytest.mark.parametrize(("minor", "currency"), [(1_999, "eur"), (2_000, "usd"), (500, "jpy"), (12_340, "kwd")])
async def test_a_dispute_is_answered_and_won_in_every_currency(service: Service, minor: int, currency: str) -> None:
    dispute = await disputed(service, minor, currency)
    assert (dispute.state, dispute.reason) == (Dispute.STATE_NEEDS_RESPONSE, "fraudulent")
    assert dispute.amount == Money(amount_minor=minor, currency=currency)
    assert dispute.evidence_due_time.seconds > service.sandbox.now
    assert await read(service, dispute.id) == dispute

    request = evidence(dispute, submit=True, uncategorized_text="winning_evidence", receipt_file="file_1")
    won = (await service.disputes.SubmitDisputeEvidence(request)).dispute

    assert (won.state, won.submission_count, won.has_evidence) == (Dispute.STATE_WON, 1, True)
    assert won.evidence.receipt_file == "file_1"
    assert await read(service, dispute.id) == won
    assert (await service.disputes.SubmitDisputeEvidence(request)).dispute == won
    moved = await service.rows("select sum(amount) from stripe.balance_transactions where source = %(id)s", id=won.id)
    assert moved == [(0,)]


async def test_evidence_is_kept_until_it_is_handed_over(service: Service) -> None:
    dispute = await disputed(service)

    first = evidence(dispute, submit=False, customer_name="Jo")
    kept = (await service.disputes.SubmitDisputeEvidence(first)).dispute
    assert (kept.state, kept.submission_count, kept.has_evidence) == (Dispute.STATE_NEEDS_RESPONSE, 0, True)

    second = evidence(dispute, submit=False, product_description="Tea")
    kept = (await service.disputes.SubmitDisputeEvidence(second)).dispute
    assert (kept.evidence.customer_name, kept.evidence.product_description) == ("Jo", "Tea")

    handed = (await service.disputes.SubmitDisputeEvidence(evidence(dispute, submit=True))).dispute
    assert (handed.state, handed.submission_count) == (Dispute.STATE_UNDER_REVIEW, 1)
    assert handed.evidence == kept.evidence
    late = evidence(dispute, submit=False, customer_name="Al")
    failed = await failure(service.disputes.SubmitDisputeEvidence(late))
    assert (failed.code, failed.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "STRIPE_STATE")


async def test_whether_evidence_is_handed_over_has_to_be_said(service: Service) -> None:
    dispute = await disputed(service)

    failed = await failure(service.disputes.SubmitDisputeEvidence(evidence(dispute, submit=None, customer_name="Jo")))

    assert (failed.code, failed.fields) == (grpc.StatusCode.INVALID_ARGUMENT, ("submit",))
    assert service.made("dispute")[0]["evidence_details"]["has_evidence"] is False


async def test_a_dispute_is_given_up_once(service: Service) -> None:
    dispute = await disputed(service)
    request = CloseDisputeRequest(request_id=new_id(), id=dispute.id)

    lost = (await service.disputes.CloseDispute(request)).dispute

    assert lost.state == Dispute.STATE_LOST
    assert await read(service, dispute.id) == lost == (await service.disputes.CloseDispute(request)).dispute
    again = CloseDisputeRequest(request_id=new_id(), id=dispute.id)
    assert (await failure(service.disputes.CloseDispute(again))).code == grpc.StatusCode.FAILED_PRECONDITION
    never = CloseDisputeRequest(request_id=new_id(), id="du_none")
    assert (await failure(service.disputes.CloseDispute(never))).code == grpc.StatusCode.NOT_FOUND


async def test_disputes_are_listed_by_charge_and_state(service: Service) -> None:
    assert not (await service.disputes.ListDisputes(ListDisputesRequest())).disputes
    asked = await disputed(service, card="createDisputeInquiry")
    two = [await disputed(service), await disputed(service, card="createDisputeProductNotReceived")]
    assert (asked.state, asked.is_charge_refundable) == (Dispute.STATE_WARNING_NEEDS_RESPONSE, True)

    found = await calls.pages(service.disputes.ListDisputes, ListDisputesRequest(), "disputes")
    assert [len(page) for page in found] == [2, 1]

    async def listed(**fields: Any) -> set[str]:
        return {one.id for one in (await service.disputes.ListDisputes(ListDisputesRequest(**fields))).disputes}

    assert await listed(state=Dispute.STATE_NEEDS_RESPONSE) == {one.id for one in two}
    assert await listed(payment_intent=asked.payment_intent) == {asked.id}
    assert await listed(payment_intent=asked.payment_intent, state=Dispute.STATE_LOST) == set()
    missing = GetDisputeRequest(id="du_none")
    assert (await failure(service.disputes.GetDispute(missing))).code == grpc.StatusCode.NOT_FOUND


# ---- reviews --------------------------------------------------------------------------------------------------------


async def waiting(service: Service) -> Review:
    """A review the mirror has heard of."""
    charge = await pay(service, "riskLevelElevated")
    await calls.mirrored(service, "review")
    return (await service.reviews.ListReviews(ListReviewsRequest(charge=charge))).reviews[0]


async def test_a_review_is_approved_once(service: Service) -> None:
    review = await waiting(service)
    assert (review.open, review.opened_reason, review.closed_reason) == (True, "rule", "")
    request = ApproveReviewRequest(request_id=new_id(), id=review.id)

    approved = (await service.reviews.ApproveReview(request)).review

    assert (approved.open, approved.closed_reason) == (False, "approved")
    assert (await service.reviews.GetReview(GetReviewRequest(id=review.id))).review == approved
    assert (await service.reviews.ApproveReview(request)).review == approved
    again = ApproveReviewRequest(request_id=new_id(), id=review.id)
    failed = await failure(service.reviews.ApproveReview(again))
    assert (failed.code, failed.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "STRIPE_STATE")


async def test_reviews_are_listed_open_or_closed(service: Service) -> None:
    assert not (await service.reviews.ListReviews(ListReviewsRequest())).reviews
    made = [await waiting(service) for _ in range(3)]
    await service.reviews.ApproveReview(ApproveReviewRequest(request_id=new_id(), id=made[0].id))

    found = await calls.pages(service.reviews.ListReviews, ListReviewsRequest(), "reviews")
    assert [len(page) for page in found] == [2, 1]

    async def listed(**fields: Any) -> set[str]:
        return {one.id for one in (await service.reviews.ListReviews(ListReviewsRequest(**fields))).reviews}

    assert await listed(open=True) == {made[1].id, made[2].id}
    assert await listed(open=False) == {made[0].id}
    assert await listed(payment_intent=made[1].payment_intent) == {made[1].id}
    missing = await failure(service.reviews.GetReview(GetReviewRequest(id="prv_none")))
    assert missing.code == grpc.StatusCode.NOT_FOUND
    other = await failure(service.reviews.GetReview(GetReviewRequest(id="du_1")))
    assert (other.code, other.fields) == (grpc.StatusCode.INVALID_ARGUMENT, ("id",))

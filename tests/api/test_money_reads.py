"""ChargeService, BalanceService, BalanceTransactionService and PayoutService over a real channel."""

from typing import Any

import grpc
import pytest

from payment_kit.v1.balance_pb2 import GetBalanceRequest
from payment_kit.v1.balance_transaction_pb2 import (
    BalanceTransaction,
    GetBalanceTransactionRequest,
    ListBalanceTransactionsRequest,
)
from payment_kit.v1.charge_pb2 import Charge, GetChargeRequest, ListChargesRequest
from payment_kit.v1.common_pb2 import Money
from payment_kit.v1.payout_pb2 import GetPayoutRequest, ListPayoutsRequest, Payout
from payment_kit.v1.refund_pb2 import CreateRefundRequest

from ..fix_service import Service, failure, new_id
from . import calls

DAY = 86_400
MONEY = [(1_999, "eur"), (2_000, "usd"), (500, "jpy"), (12_340, "kwd")]


def pass_days(service: Service, days: int) -> None:
    service.sandbox.advance_to(service.sandbox.now + days * DAY)


# ---- charges --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("minor", "currency"), MONEY)
async def test_a_charge_shows_what_was_taken_and_given_back(service: Service, minor: int, currency: str) -> None:
    paid = await calls.paid(service, minor, currency)
    half = Money(amount_minor=minor // 20 * 10, currency=currency)
    await service.refunds.CreateRefund(CreateRefundRequest(request_id=new_id(), payment_intent=paid.id, amount=half))

    charge = (await service.charges.GetCharge(GetChargeRequest(id=paid.latest_charge))).charge

    assert charge.amount == charge.amount_captured == Money(amount_minor=minor, currency=currency)
    assert charge.amount_refunded == half
    assert (charge.state, charge.captured, charge.refunded) == (Charge.STATE_SUCCEEDED, True, False)
    assert (charge.payment_intent, charge.balance_transaction[:4]) == (paid.id, "txn_")


async def test_a_failed_charge_says_why(service: Service) -> None:
    request = calls.payment(payment_method="pm_card_chargeDeclinedInsufficientFunds")
    failed = await failure(service.payment_intents.CreatePaymentIntent(request))

    charge = (await service.charges.GetCharge(GetChargeRequest(id=failed.metadata["charge"]))).charge

    assert (charge.state, charge.failure_code) == (Charge.STATE_FAILED, "card_declined")
    assert (charge.captured, charge.balance_transaction) == (False, "")


async def test_charges_are_listed_by_payment_and_state(service: Service) -> None:
    assert not (await service.charges.ListCharges(ListChargesRequest())).charges
    paid = [await calls.paid(service) for _ in range(2)]
    declined = calls.payment(payment_method="pm_card_chargeDeclinedLostCard")
    lost = (await failure(service.payment_intents.CreatePaymentIntent(declined))).metadata["charge"]
    await service.refunds.CreateRefund(CreateRefundRequest(request_id=new_id(), payment_intent=paid[0].id))

    found = await calls.pages(service.charges.ListCharges, ListChargesRequest(), "charges")
    assert [len(page) for page in found] == [2, 1]

    async def listed(**fields: Any) -> set[str]:
        return {one.id for one in (await service.charges.ListCharges(ListChargesRequest(**fields))).charges}

    assert await listed(payment_intent=paid[1].id) == {paid[1].latest_charge}
    assert await listed(state=Charge.STATE_FAILED) == {lost}
    assert await listed(refunded=True, disputed=False) == {paid[0].latest_charge}
    assert await listed(disputed=True) == set()
    missing = await failure(service.charges.GetCharge(GetChargeRequest(id="ch_none")))
    assert missing.code == grpc.StatusCode.NOT_FOUND


# ---- the balance ----------------------------------------------------------------------------------------------------


async def test_the_balance_is_stripes_own_in_every_currency(service: Service) -> None:
    for minor, currency in MONEY:
        await calls.paid(service, minor, currency)

    balance = (await service.balance.GetBalance(GetBalanceRequest())).balance

    pending = {one.currency: one.amount_minor for one in balance.pending}
    moved = {row["currency"]: row["net"] for row in service.made("balance_transaction")}
    assert pending == moved
    assert {one.currency: one.amount_minor for one in balance.available} == dict.fromkeys(moved, 0)
    assert set(moved) == {"eur", "usd", "jpy", "kwd"}


async def test_an_empty_balance_has_a_currency(service: Service) -> None:
    balance = (await service.balance.GetBalance(GetBalanceRequest())).balance

    assert list(balance.available) == list(balance.pending) == [Money(amount_minor=0, currency="usd")]


async def test_the_balance_is_unavailable_while_stripe_is_and_never_guessed(service: Service) -> None:
    await calls.paid(service)
    service.sandbox.worlds.default.faults.configure({"error_before": 1.0})

    failed = await failure(service.balance.GetBalance(GetBalanceRequest()))

    assert failed.code == grpc.StatusCode.UNAVAILABLE


# ---- balance transactions -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("minor", "currency"), MONEY)
async def test_a_movement_is_amount_minus_fee_in_every_currency(service: Service, minor: int, currency: str) -> None:
    paid = await calls.paid(service, minor, currency)

    await calls.mirrored(service, "balance_transaction")
    request = ListBalanceTransactionsRequest(source=paid.latest_charge)
    (found,) = (await service.balance_transactions.ListBalanceTransactions(request)).balance_transactions

    assert found.amount == Money(amount_minor=minor, currency=currency)
    assert found.net.amount_minor == minor - found.fee.amount_minor < minor
    assert found.net.currency == found.fee.currency == currency
    assert [detail.amount for detail in found.fee_details] == [found.fee]
    assert [detail.type for detail in found.fee_details] == ["stripe_fee"]
    assert (found.type, found.reporting_category) == ("charge", "charge")
    assert (found.state, found.exchange_rate) == (BalanceTransaction.STATE_PENDING, "")
    assert found.available_time.seconds > service.sandbox.now
    read = GetBalanceTransactionRequest(id=found.id)
    assert (await service.balance_transactions.GetBalanceTransaction(read)).balance_transaction == found


async def test_a_movement_in_another_currency_says_by_what_it_was_multiplied(service: Service) -> None:
    paid = await calls.paid(service, 5_000, "sek")

    await calls.mirrored(service, "balance_transaction")
    request = ListBalanceTransactionsRequest(source=paid.latest_charge)
    (found,) = (await service.balance_transactions.ListBalanceTransactions(request)).balance_transactions

    (row,) = service.made("balance_transaction")
    assert found.amount == Money(amount_minor=row["amount"], currency=row["currency"])
    assert float(found.exchange_rate) == row["exchange_rate"]


async def test_movements_are_listed_by_kind_and_currency(service: Service) -> None:
    list_ = service.balance_transactions.ListBalanceTransactions
    assert not (await list_(ListBalanceTransactionsRequest())).balance_transactions
    paid = [await calls.paid(service, minor, currency) for minor, currency in MONEY]
    await service.refunds.CreateRefund(CreateRefundRequest(request_id=new_id(), payment_intent=paid[1].id))
    made = set(await calls.mirrored(service, "balance_transaction"))

    found = await calls.pages(list_, ListBalanceTransactionsRequest(), "balance_transactions")
    assert [len(page) for page in found] == [2, 2, 1]
    assert {id_ for page in found for id_ in page} == made

    async def listed(**fields: Any) -> list[tuple[str, str]]:
        page = await list_(ListBalanceTransactionsRequest(**fields))
        return [(one.type, one.amount.currency) for one in page.balance_transactions]

    assert sorted(await listed(currency="usd")) == [("charge", "usd"), ("refund", "usd")]
    assert await listed(type="refund") == await listed(reporting_category="refund") == [("refund", "usd")]
    assert len(await listed(state=BalanceTransaction.STATE_PENDING, currency="jpy")) == 1
    assert await listed(currency="gbp") == []
    missing = GetBalanceTransactionRequest(id="txn_none")
    failed = await failure(service.balance_transactions.GetBalanceTransaction(missing))
    assert failed.code == grpc.StatusCode.NOT_FOUND


# ---- payouts --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("minor", "currency"), MONEY)
async def test_a_payout_carries_what_was_available_in_every_currency(
    service: Service, minor: int, currency: str
) -> None:
    await calls.paid(service, minor, currency)
    pass_days(service, 6)
    (id_,) = await calls.mirrored(service, "payout")

    payout = (await service.payouts.GetPayout(GetPayoutRequest(id=id_))).payout

    net = next(row["net"] for row in service.made("balance_transaction") if row["type"] == "charge")
    assert payout.amount == Money(amount_minor=net, currency=currency)
    assert (payout.state, payout.automatic, payout.method) == (Payout.STATE_PAID, True, "standard")
    assert payout.reconciliation_state == Payout.RECONCILIATION_STATE_COMPLETED
    assert payout.arrival_time.seconds % DAY == 0
    assert payout.balance_transaction.startswith("txn_")


async def test_payouts_are_listed_by_currency_and_state(service: Service) -> None:
    assert not (await service.payouts.ListPayouts(ListPayoutsRequest())).payouts
    for minor, currency in MONEY[1:]:
        await calls.paid(service, minor, currency)
    pass_days(service, 6)
    made = await calls.mirrored(service, "payout")

    found = await calls.pages(service.payouts.ListPayouts, ListPayoutsRequest(), "payouts")
    assert [len(page) for page in found] == [2, 1]
    assert {id_ for page in found for id_ in page} == set(made)

    async def listed(**fields: Any) -> list[str]:
        page = await service.payouts.ListPayouts(ListPayoutsRequest(**fields))
        return sorted(one.amount.currency for one in page.payouts)

    assert await listed(currency="jpy") == ["jpy"]
    assert await listed(state=Payout.STATE_PAID, automatic=True) == ["jpy", "kwd", "usd"]
    assert await listed(state=Payout.STATE_FAILED) == []
    assert await listed(automatic=False) == []
    missing = await failure(service.payouts.GetPayout(GetPayoutRequest(id="po_none")))
    assert missing.code == grpc.StatusCode.NOT_FOUND

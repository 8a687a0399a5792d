"""A quarter of two made-up businesses from a seed: what they do, when, and the totals that must come out.

    plan = scenario(seed=1, payments=2000)
    for step in plan.steps: ...          # in time order; a step only refers to steps before it
    plan.totals["kwd"].paid              # known before anything is played

The same seed gives the same plan on every machine and Python version.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from random import Random
from uuid import UUID, uuid5

from payment_kit.money import Money
from payment_kit.sandbox.scenario import actions
from payment_kit.sandbox.scenario.actions import Draft, FailPayout, Pay, Refund, Step
from payment_kit.sandbox.scenario.calendar import DAY, days_left_in_month, midnight, moments
from payment_kit.sandbox.scenario.goods import SAAS, SHOP, shelf
from payment_kit.sandbox.scenario.saas import saas
from payment_kit.sandbox.scenario.shop import DISPUTED_CARD, shop

START = date(2026, 7, 1)
END = date(2026, 10, 1)
PAYMENTS_MIN = 60
PAYMENTS_MAX = 100_000
SAAS_SHARE = 0.35
REFUND_SHARE = 0.05
REQUEST_IDS = UUID("6f0d9c8e-3f5e-5d43-9a0e-6a6f1f7c2b11")

__all__ = ["END", "START", "Scenario", "Totals", "actions", "scenario", "totals"]


@dataclass(frozen=True, slots=True)
class Totals:
    """What a plan adds up to in one currency: counts, and sums in minor units."""

    payments: int = 0
    paid_count: int = 0
    paid: int = 0
    refund_count: int = 0
    refunded: int = 0
    dispute_count: int = 0
    disputed: int = 0


@dataclass(frozen=True, slots=True)
class Scenario:
    """A plan: `steps` in time order from `start` to before `end`, and its `totals` per currency."""

    seed: int
    start: date
    end: date
    steps: tuple[Step, ...]
    totals: Mapping[str, Totals]


def scenario(seed: int = 1, payments: int = 2000, start: date = START, end: date = END) -> Scenario:
    """A plan with exactly `payments` payment intents (60 to 100,000) over at least 60 days.

    Raises ValueError for fewer payments or days: then not every kind of thing that goes wrong would have room.
    """
    if not PAYMENTS_MIN <= payments <= PAYMENTS_MAX or (end - start).days < 60:
        raise ValueError(f"a scenario has {PAYMENTS_MIN} to {PAYMENTS_MAX} payments over 60 days or more")
    random = Random(f"payment_kit scenario {seed}")  # noqa: S311  # repeatable on purpose
    monthly = round(payments * SAAS_SHARE)
    opening = midnight(start)
    drafts = shelf("shop", SHOP, opening, monthly=False) + shelf("saas", SAAS, opening, monthly=True)
    drafts += shop(random, moments(random, payments - monthly, start, end))
    drafts += saas(random, monthly, start, end)
    drafts += _refunds(random, drafts, midnight(end))
    drafts += _failing_payouts(opening, midnight(end))
    steps = _numbered(seed, payments, drafts, opening, midnight(end))
    return Scenario(seed, start, end, steps, totals(steps))


def totals(steps: Iterable[Step]) -> Mapping[str, Totals]:
    """What `steps` add up to per currency: a payment counts as paid when one of its tries succeeds."""
    result: dict[str, Totals] = {}
    amounts: dict[str, Money] = {}
    for step in steps:
        match step.action:
            case Pay(amount=amount, outcome=outcome, card=card):
                amounts[step.name] = amount
                disputed = card == DISPUTED_CARD
                _add(result, amount, payments=1, paid=outcome == "succeeded", disputed=disputed)
            case actions.PayAgain(payment=payment, outcome="succeeded"):
                _add(result, amounts[payment], paid=True)
            case actions.Authenticate(payment=payment, succeed=True):
                _add(result, amounts[payment], paid=True)
            case Refund(amount=amount):
                _add(result, amount, refunded=True)
            case _:
                pass
    return result


def _add(
    result: dict[str, Totals],
    amount: Money,
    *,
    payments: int = 0,
    paid: bool = False,
    refunded: bool = False,
    disputed: bool = False,
) -> None:
    old = result.get(amount.currency, Totals())
    result[amount.currency] = Totals(
        payments=old.payments + payments,
        paid_count=old.paid_count + paid,
        paid=old.paid + amount.minor * paid,
        refund_count=old.refund_count + refunded,
        refunded=old.refunded + amount.minor * refunded,
        dispute_count=old.dispute_count + disputed,
        disputed=old.disputed + amount.minor * disputed,
    )


def _refunds(random: Random, drafts: Sequence[Draft], end: int) -> list[Draft]:
    """Refunds of some payments, about half of them partial; in every currency one crosses the end of a month."""
    paid = [draft for draft in drafts if _refundable(draft, end)]
    chosen = {draft.name: random.randint(1, 18) for draft in random.sample(paid, round(len(paid) * REFUND_SHARE))}
    by_currency: dict[str, list[Draft]] = {}
    for draft in paid:
        if isinstance(draft.action, Pay) and days_left_in_month(draft.at) < 7:
            by_currency.setdefault(draft.action.amount.currency, []).append(draft)
    chosen |= {random.choice(late).name: 8 for late in by_currency.values()}
    refunds: list[Draft] = []
    for number, draft in enumerate((draft for draft in paid if draft.name in chosen), 1):
        assert isinstance(draft.action, Pay)
        refunds += _refund(random, draft, draft.action.amount, chosen[draft.name], partial=number % 2 == 0)
    return [refund for refund in refunds if refund.at < end]


def _refundable(draft: Draft, end: int) -> bool:
    pay = draft.action
    paid = isinstance(pay, Pay) and pay.outcome == "succeeded" and pay.card != DISPUTED_CARD
    return paid and draft.at + 9 * DAY < end


def _refund(random: Random, paid: Draft, amount: Money, days: int, *, partial: bool) -> list[Draft]:
    at = paid.at + days * DAY + random.randint(600, 6000)
    if not partial:
        return [Draft(at, f"{paid.name} refund", Refund(paid.name, amount))]
    step = 10 if amount.currency == "kwd" else 1
    part = max(step, amount.minor * random.choice((10, 25, 50)) // 100 // step * step)
    first = replace(paid, at=at, name=f"{paid.name} refund", action=Refund(paid.name, amount._replace(minor=part)))
    if random.random() < 0.8 or part == amount.minor:
        return [first]
    rest = Refund(paid.name, amount._replace(minor=amount.minor - part))
    return [first, Draft(at + 2 * DAY, f"{paid.name} second refund", rest)]


def _failing_payouts(start: int, end: int) -> list[Draft]:
    span = end - start
    return [
        Draft(start + span * 45 // 100, "eur payout fails", FailPayout("eur", "account_closed")),
        Draft(start + span * 70 // 100, "kwd payout fails", FailPayout("kwd", "could_not_process")),
    ]


def _numbered(seed: int, payments: int, drafts: Iterable[Draft], start: int, end: int) -> tuple[Step, ...]:
    """In time order (drafts are made after what they refer to, and sorting is stable), each with its request_id."""
    clamped = (replace(draft, at=max(draft.at, start)) for draft in drafts if draft.at < end)
    ordered = sorted(clamped, key=lambda draft: draft.at)
    return tuple(
        Step(draft.at, draft.name, str(uuid5(REQUEST_IDS, f"{seed}/{payments}/{index}/{draft.name}")), draft.action)
        for index, draft in enumerate(ordered)
    )

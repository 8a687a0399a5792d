"""A software service: customers with a saved card who are charged every month while they are not present."""

from collections.abc import Iterator, Mapping
from datetime import date
from random import Random

from payment_kit.money import Money
from payment_kit.sandbox.scenario.actions import (
    Authenticate,
    CreateCustomer,
    Draft,
    GiveUp,
    Outcome,
    Pay,
    PayAgain,
    SavePaymentMethod,
    SetDefaultCard,
)
from payment_kit.sandbox.scenario.calendar import DAY, midnight, moments, month_later, shares
from payment_kit.sandbox.scenario.goods import SAAS, SAAS_CURRENCIES, card, person

FATES = {"loyal": 82.0, "leaves": 10.0, "card fails": 4.0, "card fails, leaves": 2.0, "bank asks": 2.0}
PLANS = {"starter": 60, "team": 32, "company": 8}
ATTACHES_THEN_DECLINES = "pm_card_chargeCustomerFail"
ASKS_AUTHENTICATION = "pm_card_authenticationRequired"
TROUBLE: Mapping[str, tuple[str, Outcome]] = {
    "card fails": (ATTACHES_THEN_DECLINES, "declined"),
    "card fails, leaves": (ATTACHES_THEN_DECLINES, "declined"),
    "bank asks": (ASKS_AUTHENTICATION, "declined"),
}


def saas(random: Random, payments: int, start: date, end: date) -> list[Draft]:
    """Exactly `payments` charges, the first of every subscriber when they join and one each month after it."""
    joined = moments(random, payments, start, end)
    currencies = shares(random, payments, SAAS_CURRENCIES)
    fates = shares(random, payments, FATES)
    order = list(range(payments))
    random.shuffle(order)
    drafts: list[Draft] = []
    left = payments
    for number, place in enumerate(order, 1):
        if left == 0:
            break
        amount, plan = _plan(random, currencies[number - 1])
        charges = _charges(random, joined[place], midnight(end) - DAY, fates[number - 1])[:left]
        drafts += _joins(random, number, charges[0])
        drafts += _pays(random, f"subscriber {number}", plan, amount, charges, fates[number - 1])
        left -= len(charges)
    return drafts


def _plan(random: Random, currency: str) -> tuple[Money, str]:
    key = random.choices(list(PLANS), weights=list(PLANS.values()))[0]
    title, _description, prices = SAAS[key]
    return Money(prices[currency], currency), title


def _charges(random: Random, joined: int, end: int, fate: str) -> list[int]:
    """When the subscriber is charged; who leaves does so after the first or second month."""
    charges = [joined]
    last = random.randint(1, 2) if "leaves" in fate else 12
    while len(charges) < last and month_later(joined, len(charges)) < end:
        charges.append(month_later(joined, len(charges)))
    return charges


def _joins(random: Random, number: int, at: int) -> Iterator[Draft]:
    name, email = person(random, number)
    customer = f"subscriber {number}"
    yield Draft(at - 300, customer, CreateCustomer(name, email, "saas"))
    yield Draft(at - 120, f"{customer} good card", SavePaymentMethod(customer, card(random)))
    yield Draft(at - 60, f"{customer} default", SetDefaultCard(customer, f"{customer} good card"))


def _pays(random: Random, customer: str, plan: str, amount: Money, charges: list[int], fate: str) -> Iterator[Draft]:
    """The monthly charges; a fate that goes wrong does so in the last month, so that every earlier one is paid."""
    good = f"{customer} good card"
    for month, at in enumerate(charges, 1):
        name = f"{customer} month {month}"
        with_card = good
        outcome: Outcome = "succeeded"
        if month == len(charges) and fate in TROUBLE:
            test_card, outcome = TROUBLE[fate]
            with_card = f"{customer} other card"
            yield Draft(at - 45, with_card, SavePaymentMethod(customer, test_card))
        off_session = month > 1 or with_card != good
        description = f"{plan}, month {month}"
        yield Draft(at, name, Pay(amount, with_card, customer, off_session, description, "saas", outcome))
        if with_card != good:
            yield from _aftermath(random, name, with_card, good, at, fate)


def _aftermath(random: Random, payment: str, bad: str, good: str, at: int, fate: str) -> Iterator[Draft]:
    """Dunning: the customer brings another card, authenticates, or is given up after a second try."""
    later = at + random.randint(1, 20) * 3600
    if fate == "card fails":
        yield Draft(later, f"{payment} again", PayAgain(payment, good, True, "succeeded"))
    elif fate == "bank asks":
        yield Draft(later, f"{payment} on session", PayAgain(payment, bad, False, "requires_action"))
        yield Draft(later + 50, f"{payment} authentication", Authenticate(payment, True))
    else:
        yield Draft(later, f"{payment} second try", PayAgain(payment, bad, True, "declined"))
        yield Draft(later + 3600, f"{payment} given up", GiveUp(payment))

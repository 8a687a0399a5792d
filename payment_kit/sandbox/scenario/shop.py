"""A coffee shop on the web: baskets paid once, by guests and by customers who come back."""

from collections.abc import Iterator, Sequence
from random import Random

from payment_kit.money import Money
from payment_kit.sandbox.scenario.actions import (
    AnswerDispute,
    Authenticate,
    CreateCustomer,
    Draft,
    GiveUp,
    Outcome,
    Pay,
    PayAgain,
    SavePaymentMethod,
)
from payment_kit.sandbox.scenario.calendar import DAY, shares
from payment_kit.sandbox.scenario.goods import SHOP, SHOP_CURRENCIES, card, person

FATES = {
    "paid": 90.0,
    "declined, then paid": 3.0,
    "declined, given up": 2.5,
    "authenticated": 2.5,
    "authentication failed": 0.8,
    "dispute won": 0.5,
    "dispute lost": 0.4,
    "dispute ignored": 0.3,
}
DECLINING_CARDS = (
    "pm_card_visa_chargeDeclined",
    "pm_card_visa_chargeDeclinedInsufficientFunds",
    "pm_card_visa_chargeDeclinedLostCard",
    "pm_card_chargeDeclinedExpiredCard",
    "pm_card_chargeDeclinedIncorrectCvc",
    "pm_card_chargeDeclinedProcessingError",
)
DISPUTED_CARD = "pm_card_createDispute"
AUTHENTICATED_CARD = "pm_card_authenticationRequired"
BASKET_SIZES = {1: 62, 2: 27, 3: 11}


def shop(random: Random, moments: Sequence[int]) -> list[Draft]:
    """One basket per moment, with everything that follows from it. The moments are sorted."""
    fates = _fates(random, len(moments))
    currencies = shares(random, len(moments), SHOP_CURRENCIES)
    regulars: list[tuple[str, str]] = []
    drafts: list[Draft] = []
    for number, (at, fate, currency) in enumerate(zip(moments, fates, currencies, strict=True), 1):
        customer, saved = None, ""
        if fate == "paid" and random.random() < 0.1:
            regulars.append(_regular(random, len(regulars) + 1, at, drafts))
            customer, saved = regulars[-1]
        elif fate == "paid" and regulars and random.random() < 0.5:
            customer, saved = random.choice(regulars)
        basket = Money(_basket(random, currency), currency)
        drafts += _sale(random, at, f"order {number}", basket, customer, saved or card(random), fate)
    return drafts


def _fates(random: Random, count: int) -> list[str]:
    """What becomes of each basket; disputes start early enough to be decided within the plan."""
    fates = shares(random, count, FATES)
    early = count * 2 // 3
    late = [place for place in range(early, count) if fates[place].startswith("dispute")]
    room = [place for place in range(early) if fates[place] == "paid"]
    for place, other in zip(late, random.sample(room, min(len(late), len(room))), strict=False):
        fates[place], fates[other] = fates[other], fates[place]
    return fates


def _regular(random: Random, number: int, at: int, drafts: list[Draft]) -> tuple[str, str]:
    name, email = person(random, number)
    customer, saved = f"regular {number}", f"regular {number} card"
    drafts.append(Draft(at - 180, customer, CreateCustomer(name, email, "shop")))
    drafts.append(Draft(at - 90, saved, SavePaymentMethod(customer, card(random))))
    return customer, saved


def _basket(random: Random, currency: str) -> int:
    size = random.choices(list(BASKET_SIZES), weights=list(BASKET_SIZES.values()))[0]
    prices = [prices[currency] for _title, _description, prices in SHOP.values()]
    return sum(random.choice(prices) * random.choice((1, 1, 1, 2)) for _ in range(size))


def _sale(
    random: Random, at: int, name: str, amount: Money, customer: str | None, good_card: str, fate: str
) -> Iterator[Draft]:
    def first(with_card: str, outcome: Outcome) -> Draft:
        return Draft(at, name, Pay(amount, with_card, customer, False, f"Coffee, {name}", "shop", outcome))

    if fate.startswith("declined"):
        yield first(random.choice(DECLINING_CARDS), "declined")
        if fate == "declined, then paid":
            yield Draft(at + 95, f"{name} again", PayAgain(name, good_card, False, "succeeded"))
        else:
            yield Draft(at + 3600, f"{name} given up", GiveUp(name))
    elif fate.startswith("authenticat"):
        yield first(AUTHENTICATED_CARD, "requires_action")
        yield Draft(at + 70, f"{name} authentication", Authenticate(name, fate == "authenticated"))
        if fate == "authentication failed":
            yield Draft(at + 3600, f"{name} given up", GiveUp(name))
    elif fate.startswith("dispute"):
        yield first(DISPUTED_CARD, "succeeded")
        if fate != "dispute ignored":
            answer = AnswerDispute(name, win=fate == "dispute won")
            yield Draft(at + random.randint(2, 6) * DAY, f"{name} dispute", answer)
    else:
        yield first(good_card, "succeeded")

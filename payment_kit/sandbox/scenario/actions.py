"""What a business does, as data: timed steps that name each other, so that a plan does not depend on ids.

A step's `name` is unique in its plan. An action refers to an earlier step by that name (`Ref`); a `Card` is either
one of Stripe's shared test payment methods ("pm_card_…") or the `Ref` of a saved payment method.
"""

from dataclasses import dataclass
from typing import Literal

from payment_kit.money import Money

Ref = str
Card = str
Outcome = Literal["succeeded", "declined", "requires_action"]
TEST_CARD = "pm_card_"


@dataclass(frozen=True, slots=True)
class CreateProduct:
    """Put a product into the catalogue."""

    title: str
    description: str


@dataclass(frozen=True, slots=True)
class CreatePrice:
    """Give a product a price in one currency; `monthly` for what is charged again every month."""

    product: Ref
    unit_amount: Money
    monthly: bool


@dataclass(frozen=True, slots=True)
class CreateCustomer:
    """A person or company becomes a customer of one of the businesses."""

    person: str
    email: str
    business: str


@dataclass(frozen=True, slots=True)
class SavePaymentMethod:
    """Attach a new card to a customer."""

    customer: Ref
    card: Card


@dataclass(frozen=True, slots=True)
class SetDefaultCard:
    """Charge this saved card from now on."""

    customer: Ref
    card: Card


@dataclass(frozen=True, slots=True)
class Pay:
    """Create a payment intent and confirm it at once; `outcome` is what the test card makes of it."""

    amount: Money
    card: Card
    customer: Ref | None
    off_session: bool
    description: str
    business: str
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class PayAgain:
    """Confirm a payment intent once more: with another card, or with the customer back on session."""

    payment: Ref
    card: Card
    off_session: bool
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Authenticate:
    """The customer passes (or fails) 3-D Secure in the browser."""

    payment: Ref
    succeed: bool


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Cancel a payment intent that nobody will pay."""

    payment: Ref


@dataclass(frozen=True, slots=True)
class Refund:
    """Give back `amount` of a payment, which may be less than what was paid."""

    payment: Ref
    amount: Money


@dataclass(frozen=True, slots=True)
class AnswerDispute:
    """Hand in evidence for the dispute about a payment; `win` says which kind of evidence it is."""

    payment: Ref
    win: bool


@dataclass(frozen=True, slots=True)
class FailPayout:
    """The bank will send the next payout of this currency back."""

    currency: str
    code: str


Action = (
    CreateProduct
    | CreatePrice
    | CreateCustomer
    | SavePaymentMethod
    | SetDefaultCard
    | Pay
    | PayAgain
    | Authenticate
    | GiveUp
    | Refund
    | AnswerDispute
    | FailPayout
)


@dataclass(frozen=True, slots=True)
class Step:
    """One action at its virtual time `at` (Unix seconds); `request_id` is the same UUID whenever the plan is played."""

    at: int
    name: str
    request_id: str
    action: Action


@dataclass(frozen=True, slots=True)
class Draft:
    """A step before the plan is put in order and numbered."""

    at: int
    name: str
    action: Action


def refs(action: Action) -> tuple[Ref, ...]:
    """The names of the earlier steps that `action` needs."""
    candidates = (getattr(action, field, None) for field in ("product", "customer", "payment", "card"))
    return tuple(name for name in candidates if name and not name.startswith(TEST_CARD))

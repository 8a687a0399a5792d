"""Stripe's test payment methods (docs.stripe.com/testing): what each ``pm_card_…`` or ``tok_…`` looks like and does."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from payment_kit.sandbox.errors import ApiError


class Decline(NamedTuple):
    """How a bank says no (docs.stripe.com/declines/codes)."""

    code: str
    decline_code: str | None
    message: str
    advice_code: str | None
    network_decline_code: str | None


class Card(NamedTuple):
    """A test card. `behaviour` is stored on the payment method and read wherever it is used."""

    brand: str = "visa"
    last4: str = "4242"
    funding: str = "credit"
    behaviour: str = "succeed"
    country: str = "US"
    cvc_check: str = "pass"
    postal_code_check: str | None = None


_DECLINED = "Your card was declined."
AUTHENTICATION_REQUIRED = Decline(
    "authentication_required",
    "authentication_required",
    "Your card was declined. This transaction requires authentication.",
    None,
    None,
)

# behaviour -> decline, for the behaviours that decline
DECLINES: dict[str, Decline] = {
    "generic_decline": Decline("card_declined", "generic_decline", _DECLINED, "try_again_later", "05"),
    "insufficient_funds": Decline(
        "card_declined", "insufficient_funds", "Your card has insufficient funds.", "try_again_later", "51"
    ),
    "lost_card": Decline("card_declined", "lost_card", _DECLINED, "do_not_try_again", "41"),
    "stolen_card": Decline("card_declined", "stolen_card", _DECLINED, "do_not_try_again", "43"),
    "card_velocity_exceeded": Decline(
        "card_declined",
        "card_velocity_exceeded",
        "Your card was declined for making repeated attempts too frequently or exceeding its amount limit.",
        "try_again_later",
        "61",
    ),
    "fraudulent": Decline("card_declined", "fraudulent", _DECLINED, "do_not_try_again", None),
    "expired_card": Decline("expired_card", None, "Your card has expired.", "do_not_try_again", "54"),
    "incorrect_cvc": Decline(
        "incorrect_cvc", None, "Your card's security code is incorrect.", "confirm_card_data", "N7"
    ),
    "processing_error": Decline(
        "processing_error",
        None,
        "An error occurred while processing your card. Try again in a little bit.",
        "try_again_later",
        "96",
    ),
}
# These can be saved to a customer and decline only when charged. Radar blocks without asking the bank.
_BLOCKED = Decline("card_declined", "fraudulent", _DECLINED, "do_not_try_again", None)
DECLINES_WHEN_CHARGED = {
    "authenticate_then_insufficient_funds": DECLINES["insufficient_funds"],
    "blocked_highest_risk_level": _BLOCKED,
    "blocked_rule": _BLOCKED,
    "charge_customer_fail": DECLINES["generic_decline"],
}

# name behind pm_card_ or tok_ -> card
CARDS: dict[str, Card] = {
    "visa": Card(),
    "visa_debit": Card(last4="5556", funding="debit"),
    "mastercard": Card("mastercard", "4444"),
    "mastercard_debit": Card("mastercard", "8210", "debit"),
    "amex": Card("amex", "8431"),
    "discover": Card("discover", "1117"),
    "jcb": Card("jcb", "0505"),
    "diners": Card("diners", "0004"),
    "unionpay": Card("unionpay", "0005"),
    "mastercard_prepaid": Card("mastercard", "5100", "prepaid"),
    "us": Card(),
    "br": Card(last4="0002", country="BR"),
    "ca": Card(last4="0000", country="CA"),
    "mx": Card(last4="8001", country="MX"),
    "at": Card(last4="0008", country="AT"),
    "be": Card(last4="0004", country="BE"),
    "ch": Card(last4="0009", country="CH"),
    "de": Card(last4="0016", country="DE"),
    "es": Card(last4="0007", country="ES"),
    "fr": Card(last4="0003", country="FR"),
    "gb": Card(last4="0000", country="GB"),
    "ie": Card(last4="0005", country="IE"),
    "it": Card(last4="0008", country="IT"),
    "nl": Card(last4="0002", country="NL"),
    "se": Card(last4="0008", country="SE"),
    "au": Card(last4="0006", country="AU"),
    "hk": Card(last4="0004", country="HK"),
    "in": Card(last4="0008", country="IN"),
    "jp": Card(last4="0003", country="JP"),
    "sg": Card(last4="0003", country="SG"),
    "bypassPending": Card(last4="0077", behaviour="bypass_pending"),
    "authenticationRequired": Card(last4="3184", behaviour="authenticate"),
    "threeDSecure2Required": Card(last4="3220", behaviour="authenticate"),
    "threeDSecureRequired": Card(last4="3063", behaviour="authenticate"),
    "threeDSecureOptional": Card(last4="3055"),
    "authenticationRequiredOnSetup": Card(last4="3155", behaviour="authenticate_unless_set_up"),
    "authenticationRequiredSetupForOffSession": Card(last4="0446", behaviour="authenticate_on_session"),
    "authenticationRequiredChargeDeclinedInsufficientFunds": Card(
        last4="3178", behaviour="authenticate_then_insufficient_funds"
    ),
    "createIssuerFraudRecord": Card(last4="5423", behaviour="issuer_fraud_record"),
    "riskLevelElevated": Card(last4="9235", behaviour="elevated_risk_level"),
    "riskLevelHighest": Card(last4="4954", behaviour="blocked_highest_risk_level"),
    "radarBlock": Card(last4="0019", behaviour="blocked_rule"),
    "cvcCheckFail": Card(last4="0101", cvc_check="fail"),
    "avsZipFail": Card(last4="0036", postal_code_check="fail"),
    "createDispute": Card(last4="0259", behaviour="dispute_fraudulent"),
    "createDisputeProductNotReceived": Card(last4="2685", behaviour="dispute_product_not_received"),
    "createDisputeInquiry": Card(last4="1976", behaviour="inquiry_fraudulent"),
    "refundFail": Card(last4="5126", behaviour="refund_fails"),
    "pendingRefund": Card(last4="7726", behaviour="refund_pending"),
    "chargeCustomerFail": Card(last4="0341", behaviour="charge_customer_fail"),
    "chargeDeclined": Card(last4="0002", behaviour="generic_decline"),
    "chargeDeclinedInsufficientFunds": Card(last4="9995", behaviour="insufficient_funds"),
    "chargeDeclinedLostCard": Card(last4="9987", behaviour="lost_card"),
    "chargeDeclinedStolenCard": Card(last4="9979", behaviour="stolen_card"),
    "chargeDeclinedVelocityLimitExceeded": Card(last4="6975", behaviour="card_velocity_exceeded"),
    "chargeDeclinedFraudulent": Card(last4="0019", behaviour="fraudulent"),
    "chargeDeclinedExpiredCard": Card(last4="0069", behaviour="expired_card"),
    "chargeDeclinedIncorrectCvc": Card(last4="0127", behaviour="incorrect_cvc"),
    "chargeDeclinedProcessingError": Card(last4="0119", behaviour="processing_error"),
}


def card(name: str) -> Card | None:
    """The test card of ``pm_card_visa``, ``tok_visa``, ``pm_card_visa_chargeDeclined`` …; None for any other text."""
    for prefix in ("pm_card_", "tok_"):
        if name.startswith(prefix):
            short = name.removeprefix(prefix)
            return CARDS.get(short) or CARDS.get(short.removeprefix("visa_"))
    return None


def decline_of(behaviour: str) -> Decline | None:
    """How a charge on such a card is declined; None when it is not."""
    return DECLINES.get(behaviour) or DECLINES_WHEN_CHARGED.get(behaviour)


def wants_authentication(method: Mapping[str, Any], *, off_session: bool, asked: bool = False) -> bool:
    """Whether the bank wants to hear from the customer; `asked` is what the request wants (3-D Secure ``any``)."""
    behaviour = method["_behaviour"]
    if behaviour == "authenticate_unless_set_up":
        return not method.get("_set_up", False)
    if behaviour == "authenticate_on_session" or not behaviour.startswith("authenticate"):
        return not off_session and (asked or behaviour == "authenticate_on_session")
    return True


def refusal(decline: Decline, **extra: Any) -> ApiError:
    """The 402 that tells of a decline; what the attempt left behind stays."""
    return ApiError(
        402,
        decline.message,
        kind="card_error",
        code=decline.code,
        param={"incorrect_cvc": "cvc", "expired_card": "exp_month"}.get(decline.code),
        keep=True,
        decline_code=decline.decline_code,
        advice_code=decline.advice_code,
        network_decline_code=decline.network_decline_code,
        **extra,
    )

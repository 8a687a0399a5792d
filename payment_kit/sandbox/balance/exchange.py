"""Exchange: what a payment in a currency without a balance of its own becomes in the account's default currency.

An account keeps one balance per currency it can be paid out in (`SETTLED`). Anything else is converted as it settles
(docs.stripe.com/currencies/conversions), here at a fixed table of rates, so that the same story gives the same books.
By Stripe's definition of `exchange_rate` an amount in minor units times the rate is the settled amount in minor units;
it is rounded half up, away from zero, once. Each transaction is converted on its own, as at Stripe.
"""

from decimal import ROUND_HALF_UP, Decimal
from typing import NamedTuple

from payment_kit.money import exponent

DEFAULT_CURRENCY = "usd"
SETTLED = ("eur", "jpy", "kwd", "usd")
# what one major unit is in dollars; a currency that is not here and not in `SETTLED` keeps a balance of its own
DOLLARS = {
    "aed": Decimal("0.2723"),
    "ars": Decimal("0.000731"),
    "aud": Decimal("0.6612"),
    "bgn": Decimal("0.5921"),
    "bhd": Decimal("2.6525"),
    "brl": Decimal("0.1843"),
    "cad": Decimal("0.7218"),
    "chf": Decimal("1.2405"),
    "clp": Decimal("0.001054"),
    "cny": Decimal("0.1402"),
    "cop": Decimal("0.000248"),
    "czk": Decimal("0.0474"),
    "dkk": Decimal("0.1552"),
    "gbp": Decimal("1.3406"),
    "hkd": Decimal("0.1285"),
    "huf": Decimal("0.0029"),
    "idr": Decimal("0.000061"),
    "ils": Decimal("0.2964"),
    "inr": Decimal("0.0114"),
    "isk": Decimal("0.0082"),
    "krw": Decimal("0.000718"),
    "mxn": Decimal("0.0537"),
    "myr": Decimal("0.2371"),
    "nok": Decimal("0.0989"),
    "nzd": Decimal("0.5934"),
    "php": Decimal("0.0175"),
    "pln": Decimal("0.2718"),
    "ron": Decimal("0.2286"),
    "sek": Decimal("0.1047"),
    "sgd": Decimal("0.7783"),
    "thb": Decimal("0.0308"),
    "try": Decimal("0.0246"),
    "twd": Decimal("0.0331"),
    "vnd": Decimal("0.000038"),
    "zar": Decimal("0.0565"),
}


class Settled(NamedTuple):
    """An amount as it moves the balance: minor units of `currency`, and the rate when it was converted."""

    amount: int
    currency: str
    rate: Decimal | None


def settled(amount: int, currency: str) -> Settled:
    """`amount` minor units of `currency` as they settle, e.g. 1000 gbp as 1341 usd at 1.3406."""
    if currency not in DOLLARS:
        return Settled(amount, currency, None)
    rate = DOLLARS[currency].scaleb(exponent(DEFAULT_CURRENCY) - exponent(currency))
    return Settled(int((amount * rate).quantize(Decimal(1), ROUND_HALF_UP)), DEFAULT_CURRENCY, rate)

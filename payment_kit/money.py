"""Money as Stripe counts it: an integer of minor units beside a lower-case currency.

No float ever enters or leaves this module, and nothing here adds across currencies. How many decimals a
currency has follows Stripe's list (docs.stripe.com/currencies), which differs from ISO 4217 for a few: ISK and
UGX are charged as two-decimal although they have no minor unit, MGA as zero-decimal.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import NamedTuple

ZERO_DECIMAL = frozenset("bif clp djf gnf jpy kmf krw mga pyg rwf vnd vuv xaf xof xpf".split())
THREE_DECIMAL = frozenset("bhd jod kwd omr tnd".split())
# what a payment can be made in (docs.stripe.com/currencies#presentment-currencies), in the order Stripe names them
CURRENCIES = tuple(
    "usd aed afn all amd ang aoa ars aud awg azn bam bbd bdt bgn bhd bif bmd bnd bob brl bsd bwp byn bzd cad cdf chf "
    "clp cny cop crc cve czk djf dkk dop dzd egp etb eur fjd fkp gbp gel gip gmd gnf gtq gyd hkd hnl htg huf idr ils "
    "inr isk jmd jod jpy kes kgs khr kmf krw kwd kyd kzt lak lbp lkr lrd lsl mad mdl mga mkd mmk mnt mop mur mvr mwk "
    "mxn myr mzn nad ngn nio nok npr nzd omr pab pen pgk php pkr pln pyg qar ron rsd rub rwf sar sbd scr sek sgd shp "
    "sle sos srd std szl thb tjs tnd top try ttd twd tzs uah ugx uyu uzs vnd vuv wst xaf xcd xcg xof xpf yer zar "
    "zmw".split()
)


class Money(NamedTuple):
    """``minor`` units of ``currency`` (lower-case ISO 4217), e.g. ``Money(1999, "usd")`` is 19.99 USD."""

    minor: int
    currency: str

    def __str__(self) -> str:
        return format_minor(self.minor, self.currency)


def exponent(currency: str) -> int:
    """Decimals between Stripe's minor unit and the amount people read: 0, 2 or 3."""
    code = currency.lower()
    if code in ZERO_DECIMAL:
        return 0
    return 3 if code in THREE_DECIMAL else 2


def to_decimal(minor: int, currency: str) -> Decimal:
    """The exact amount in major units; for display and files only, never for further arithmetic."""
    return Decimal(minor).scaleb(-exponent(currency))


def format_minor(minor: int, currency: str) -> str:
    """``1234567, "usd"`` -> ``"12,345.67 USD"``; the sign stays in front."""
    return f"{to_decimal(minor, currency):,.{exponent(currency)}f} {currency.upper()}"


def totals(amounts: Iterable[Money]) -> Mapping[str, Money]:
    """One sum per currency."""
    sums: dict[str, int] = {}
    for minor, currency in amounts:
        sums[currency] = sums.get(currency, 0) + minor
    return {currency: Money(minor, currency) for currency, minor in sums.items()}

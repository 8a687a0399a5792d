"""Did Stripe sign this body, and just now? Source: docs.stripe.com/webhooks/signature.

Stricter than the SDK in one point: a timestamp from the future is refused as well, so that a leaked future signature
cannot be kept for later. Several secrets are tried, because an endpoint's secret is rotated while both are in use.
"""

import hmac
from collections.abc import Iterable

from payment_kit.errors import UsageProblem

SCHEME = "v1"
HEADER_CHARACTERS_MAX = 4096
SIGNATURES_MAX = 16


def verify(body: bytes, header: str | None, secrets: Iterable[str], now: float, tolerance_seconds: int = 300) -> None:
    """Return when `header` (``Stripe-Signature``) signs `body` with one of `secrets` and is of `now`, Unix seconds.

    Raises `UsageProblem` SIGNATURE_INVALID, or TIMESTAMP_OUT_OF_TOLERANCE for a right signature that is older than the
    tolerance or that far in the future; `skew_seconds` in its metadata is how far `now` is ahead of it.
    """
    timestamp, signatures = _parse(header)
    if not any(_signed(body, timestamp, signatures, secret) for secret in secrets):
        raise UsageProblem("SIGNATURE_INVALID", "No signature in the header matches the body.")
    skew = round(now - int(timestamp))
    if abs(now - int(timestamp)) > tolerance_seconds:
        what = f"The signature's time is more than {tolerance_seconds} s from now."
        raise UsageProblem("TIMESTAMP_OUT_OF_TOLERANCE", what, metadata={"skew_seconds": str(skew)})


def sign(body: bytes, secret: str, timestamp: int) -> str:
    """The header Stripe would send; for tests and for checking an installation."""
    return f"t={timestamp},{SCHEME}={_mac(body, str(timestamp), secret)}"


def _parse(header: str | None) -> tuple[str, list[str]]:
    if not header or len(header) > HEADER_CHARACTERS_MAX:
        raise UsageProblem("SIGNATURE_INVALID", "The Stripe-Signature header is missing or far too long.")
    parts = [part.strip().partition("=") for part in header.split(",")]
    times = [value for name, _, value in parts if name == "t"]
    signatures = [value for name, _, value in parts if name == SCHEME]
    well_formed = len(times) == 1 and times[0].isascii() and times[0].isdecimal() and len(times[0]) <= 12
    if not well_formed or not 1 <= len(signatures) <= SIGNATURES_MAX:
        raise UsageProblem("SIGNATURE_INVALID", "The Stripe-Signature header has no time or no v1 signature.")
    return times[0], signatures


def _signed(body: bytes, timestamp: str, signatures: Iterable[str], secret: str) -> bool:
    expected = _mac(body, timestamp, secret).encode()
    # Every signature is compared in full, so that the time taken tells nothing.
    return any([hmac.compare_digest(expected, given.encode()) for given in signatures])  # noqa: C419


def _mac(body: bytes, timestamp: str, secret: str) -> str:
    return hmac.digest(secret.encode(), b"%b.%b" % (timestamp.encode(), body), "sha256").hex()

"""A webhook as bytes and headers, the way Stripe sends it (docs.stripe.com/webhooks#verify-manually)."""

import hmac

import orjson

from payment_kit.sandbox import ids, thin, versions
from payment_kit.sandbox.call import public
from payment_kit.sandbox.store import Row, Store

OLD_SECONDS = 3600  # well beyond the 300 s that Stripe's libraries tolerate


def body_of(event: Row, version: str | None, store: Store) -> bytes:
    """The payload in the shape of `version`, or of the one the event was made in.

    It is indented as Stripe's is, so that who verifies JSON he parsed and wrote again, fails here too.
    """
    version = version or event["api_version"]
    shown = {**versions.render(public(event), version, store), "api_version": version}
    return orjson.dumps(shown, option=orjson.OPT_INDENT_2)


def sent_to(endpoint: Row, event: Row, store: Store) -> bytes:
    """The payload as an endpoint gets it: in its version, or thin."""
    if endpoint.get("_payload") == "thin":
        return orjson.dumps(thin.notification(event))
    return body_of(event, endpoint["api_version"], store)


def secrets_of(endpoint: Row, now: int) -> list[str]:
    """The secrets an endpoint's deliveries are signed with: two while the old one of a rolled secret still counts."""
    old = endpoint.get("_old_secret")
    return [endpoint["_secret"], *([old] if old and endpoint["_old_secret_until"] > now else [])]


def collector_secret(store: Store) -> str:
    """The secret of what is collected for no endpoint in particular; it follows from the account."""
    return "whsec_" + ids.text(32, "collector", store.meta["account_seed"])


def signature(body: bytes, secrets: list[str], timestamp: int, fault: str | None = None) -> str:
    """The ``Stripe-Signature`` header of a body: one ``v1`` per secret and the ``v0`` that only test events carry.

    `fault` spoils it: ``"wrong_secret"`` or ``"old_timestamp"``.
    """
    if fault == "wrong_secret":
        secrets = [f"{secret}_wrong" for secret in secrets]
    elif fault == "old_timestamp":
        timestamp -= OLD_SECONDS
    signed = f"{timestamp}.".encode() + body
    parts = [f"t={timestamp}", *(f"v1={_digest(secret, signed)}" for secret in secrets)]
    return ",".join([*parts, f"v0={_digest('v0' + secrets[0], signed)}"])


def headers_of(stripe_signature: str) -> dict[str, str]:
    """All headers Stripe sends with a webhook."""
    return {
        "Accept": "*/*; q=0.5, application/xml",
        "Cache-Control": "no-cache",
        "Content-Type": "application/json; charset=utf-8",
        "Stripe-Signature": stripe_signature,
        "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
    }


def _digest(secret: str, signed: bytes) -> str:
    return hmac.new(secret.encode(), signed, "sha256").hexdigest()

"""API keys: how they are sent, what each kind may do, and the restricted ones a test makes.

| key | opens |
|---|---|
| the default account's ``sk_test_sandbox…`` and ``pk_test_sandbox…`` (no ``_`` follows) | the default account |
| ``sk_test_sandbox_<name>``, ``pk_test_sandbox_<name>`` | a world of its own, made at first use |
| ``sk_test_<name>``, ``pk_test_<name>``, with ``isolated`` | the same |
| ``rk_test_…`` | the world it was made in, with the permissions it was made with |
| ``…_live_…`` | nothing |
"""

import base64
import re
from collections.abc import Mapping
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, NamedTuple

from payment_kit.sandbox import ids
from payment_kit.sandbox.errors import ApiError
from payment_kit.sandbox.store import Row, Store

if TYPE_CHECKING:
    from payment_kit.sandbox.world import World

KEYS_MAX = 100
NAME_MAX = 64
SECRET, PUBLISHABLE, RESTRICTED = "sk", "pk", "rk"
LEVELS = ("none", "read", "write")
_DOCS = "See https://stripe.com/docs/api#authentication for details, or we can help at https://support.stripe.com/."
_SHAPE = re.compile(r"([sp]k|rk)_(test|live)_([A-Za-z0-9_-]{1,128})")
# below these, the second part of a path names the resource
_SPACES = frozenset(("billing", "billing_portal", "checkout", "entitlements", "radar", "reporting", "test_helpers"))
# what the dashboard calls a permission where it is not the resource's own name
_PERMISSION = {
    "account": "connected_account",
    "accounts": "connected_account",
    "balance_transactions": "balance_transaction_source",
    "prices": "plan",
    "refunds": "charge",
    "webhook_endpoints": "webhook",
}
# docs.stripe.com/keys: what a publishable key is for
_FOR_BROWSERS = frozenset(
    (
        ("POST", "confirmation_tokens"),
        ("GET", "payment_intents/*"),
        ("POST", "payment_intents/*/confirm"),
        ("POST", "payment_methods"),
        ("GET", "setup_intents/*"),
        ("POST", "setup_intents/*/confirm"),
        ("POST", "tokens"),
    )
)
# what is left of an object for the browser (the types of Stripe's own browser library)
_SHOWN = {
    "payment_intent": (
        "id object amount amount_details automatic_payment_methods canceled_at cancellation_reason capture_method "
        "client_secret confirmation_method created currency description last_payment_error livemode next_action "
        "payment_method payment_method_types processing receipt_email setup_future_usage shipping status"
    ).split(),
    "setup_intent": (
        "id object automatic_payment_methods cancellation_reason client_secret created description last_setup_error "
        "livemode next_action payment_method payment_method_types status usage"
    ).split(),
}


class Key(NamedTuple):
    """A key that was accepted: its kind (``sk``, ``pk``, ``rk``), its world and, of a restricted one, its id."""

    kind: str
    world: "World"
    redacted: str
    made: str | None = None


def presented(authorization: str) -> str:
    """The key in an ``Authorization`` header, bearer or basic; raises `ApiError` 401 when there is none."""
    scheme, _, value = authorization.partition(" ")
    key = value.strip()
    if scheme.lower() == "basic":
        try:
            key = base64.b64decode(value, validate=True).decode().partition(":")[0]
        except ValueError:
            key = ""
    elif scheme.lower() != "bearer":
        key = ""
    if not key:
        raise ApiError(
            401,
            "You did not provide an API key. You need to provide your API key in the Authorization header, using "
            f"Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY'). {_DOCS}",
            stored=False,
        )
    return key


def parsed(key: str) -> tuple[str, str]:
    """The kind of a test key and what follows ``…_test_``; raises `ApiError` 401 for live keys and other texts."""
    found = _SHAPE.fullmatch(key)
    if key[2:8] == "_live_":
        message = "This is a sandbox: it refuses live keys. Take the live key out of this configuration."
        raise ApiError(401, message, stored=False)
    if found is None:
        raise refused(key)
    return found[1], found[3]


def refused(key: str) -> ApiError:
    """401 for a key nobody gave out."""
    return ApiError(401, f"Invalid API Key provided: {redacted(key)}", stored=False)


def redacted(key: str) -> str:
    """A key as errors may show it."""
    return f"{key[:7]}{'*' * 12}{key[-4:]}" if len(key) > 20 else f"{key[:3]}***"


def allowed(
    key: Key, store: Store, method: str, path: str, raw: dict[str, Any], found: tuple[str, ...]
) -> dict[str, Any]:
    """The parameters without the client secret; raises `ApiError` when a key may not do this operation."""
    if key.kind == RESTRICTED:
        _allow_restricted(key, store, method, path)
    if key.kind != PUBLISHABLE:
        return raw
    _allow_browser(store, method, path, raw, found)
    return {name: value for name, value in raw.items() if name != "client_secret"}


def shown(row: Row) -> Row:
    """The part of an answer a publishable key gets to see."""
    names = _SHOWN.get(row.get("object", ""))
    return row if names is None else {name: row[name] for name in names if name in row}


def _allow_browser(store: Store, method: str, path: str, raw: dict[str, Any], found: tuple[str, ...]) -> None:
    if (method, path) not in _FOR_BROWSERS:
        raise ApiError(
            403,
            "This API call cannot be made with a publishable API key. Please use a secret API key. You can find a list "
            "of your API keys at https://dashboard.stripe.com/account/apikeys.",
            code="secret_key_required",
            stored=False,
        )
    if not found:
        return
    kind = "payment_intent" if path.startswith("payment_intents") else "setup_intent"
    given = raw.get("client_secret")
    if given is None:
        raise ApiError(
            400,
            "Missing required param: client_secret.",
            code="parameter_missing",
            param="client_secret",
            stored=False,
        )
    row = store.get(kind, found[0])
    if row is not None and row.get("client_secret") != given:
        name = "PaymentIntent" if kind == "payment_intent" else "SetupIntent"
        raise ApiError(
            400,
            f"The client_secret provided does not match the client_secret associated with the {name}.",
            code=f"{kind}_invalid_parameter",
            param="client_secret",
            stored=False,
        )


def resource(path: str) -> str:
    """What a permission is given for: the first part of a path, or the first two where the first is only a space."""
    parts = path.split("/")
    return "/".join(parts[:2]) if parts[0] in _SPACES else parts[0]


def _allow_restricted(key: Key, store: Store, method: str, path: str) -> None:
    permissions = _made(key.world.store)[key.made or ""]["permissions"]
    name, needed = resource(path), "read" if method == "GET" else "write"
    level = permissions.get(name, permissions.get("*", "none"))
    if LEVELS.index(level) < LEVELS.index(needed):
        right = _PERMISSION.get(name, name.rpartition("/")[2].removesuffix("s"))
        account = key.world.account_id if store.platform is None else store.meta["account"]
        raise ApiError(
            403,
            f"The provided key '{key.redacted}' does not have the required permissions for this endpoint on account "
            f"'{account}'. Having the 'rak_{right}_{needed}' permission would allow this request to continue.",
            stored=False,
        )


def alive(key: Key) -> None:
    """Raise `ApiError` 401 when a restricted key was revoked or has expired by the sandbox's clock."""
    store = key.world.store
    made = _made(store).get(key.made or "")
    if made is None or made["revoked"]:
        raise ApiError(401, f"Invalid API Key provided: {key.redacted}", stored=False)
    if made["expires_at"] is not None and store.now >= made["expires_at"]:
        raise ApiError(401, f"Expired API Key provided: {key.redacted}", code="api_key_expired", stored=False)


def known(store: Store, key: str) -> str | None:
    """The id of a restricted key of this world, None for any other text."""
    print_ = _print(key)
    return next((id_ for id_, made in _made(store).items() if made["print"] == print_), None)


def make(world: "World", given: Mapping[str, Any]) -> dict[str, Any]:
    """Make a restricted key: ``{"permissions": {"customers": "read", "*": "none"}, "expires_at", "name"}``.

    A resource is the first part of its path below /v1 (``payment_intents``), or two as in ``checkout/sessions``; ``*``
    stands for all others. The answer is the only one that holds the key.
    """
    store, permissions = world.store, given.get("permissions")
    if not isinstance(permissions, dict) or not all(
        isinstance(name, str) and level in LEVELS for name, level in permissions.items()
    ):
        raise _invalid("permissions", f"must give each resource one of {', '.join(LEVELS)}")
    expires_at, name = given.get("expires_at"), given.get("name", "")
    if expires_at is not None and (isinstance(expires_at, bool) or not isinstance(expires_at, int)):
        raise _invalid("expires_at", "must be unix seconds")
    if not isinstance(name, str) or len(name) > NAME_MAX:
        raise _invalid("name", f"must be text of at most {NAME_MAX} characters")
    if len(_made(store)) >= KEYS_MAX:
        raise _invalid("permissions", f"a world has at most {KEYS_MAX} restricted keys")
    number = len(_made(store)) + 1
    key = f"rk_test_{world.stem}{ids.text(24, 'restricted key', store.meta['account_seed'], number)}"
    made = {
        "expires_at": expires_at,
        "name": name,
        "permissions": dict(permissions),
        "print": _print(key),
        "redacted": redacted(key),
        "revoked": False,
    }
    id_ = f"mk_{ids.text(16, 'restricted key id', store.meta['account_seed'], number)}"
    _keep(store, {**_made(store), id_: made})
    return {**_public(id_, made), "key": key}


def revoke(world: "World", id_: str) -> dict[str, Any]:
    """Take a restricted key out of use; raises `ApiError` 404 for an unknown id."""
    made = _made(world.store).get(id_)
    if made is None:
        raise ApiError(404, f"There is no restricted key {id_}.", stored=False)
    made = {**made, "revoked": True}
    _keep(world.store, {**_made(world.store), id_: made})
    return _public(id_, made)


def listed(world: "World") -> list[dict[str, Any]]:
    """The restricted keys of a world, without their texts."""
    return [_public(id_, made) for id_, made in _made(world.store).items()]


def _public(id_: str, made: dict[str, Any]) -> dict[str, Any]:
    return {"id": id_, **{name: value for name, value in made.items() if name != "print"}}


def _made(store: Store) -> dict[str, dict[str, Any]]:
    made: dict[str, dict[str, Any]] = store.meta.get("keys", {})
    return made


def _keep(store: Store, made: dict[str, dict[str, Any]]) -> None:
    store.set_meta(keys=made)
    store.commit()


def _print(key: str) -> str:
    return blake2b(key.encode(), digest_size=16).hexdigest()


def _invalid(param: str, message: str) -> ApiError:
    return ApiError(400, f"Invalid {param}: {message}.", param=param, stored=False)

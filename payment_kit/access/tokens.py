"""Tokens (JWT, RFC 7519) of one configured issuer, checked with its public keys.

What a token may be signed with follows from the key, never from the token: neither `none` nor HS256 with a public key
as its secret is ever looked at (RFC 8725).
"""

import hashlib
import re
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jwt
import orjson
import structlog
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from payment_kit.access.callers import ROLES, Caller
from payment_kit.errors import UsageProblem

CLAIM = "payment_kit_roles"
LEEWAY_SECONDS = 10
LOOK_SECONDS = 1.0
"""How often the file of keys is looked at, at most."""
CACHED_MAX = 1000
TOKEN_BYTES_MAX = 8 << 10
_PEM = re.compile(rb"-----BEGIN PUBLIC KEY-----.+?-----END PUBLIC KEY-----", re.DOTALL)
_CURVES = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}

log = structlog.get_logger(__name__)


class _Public(NamedTuple):
    id: str | None
    key: Any
    algorithms: tuple[str, ...]


class Tokens:
    """Reads tokens. Raises `UsageProblem` SETTING_INVALID at once when `keys` holds no public keys."""

    def __init__(self, issuer: str, audience: str, keys: Path) -> None:
        self._issuer = issuer
        self._audience = audience
        self._file = keys
        self._stamp = _stamp(keys)
        self._looked_at = time.monotonic()
        self._keys = _read(keys)
        self._cached: OrderedDict[bytes, tuple[Caller, float]] = OrderedDict()

    def caller(self, token: str, named: Callable[[str], Caller | None]) -> Caller | None:
        """Who bears a token, with its roles and the limits of the caller of his name; None when it is not good."""
        self._look()
        digest = hashlib.sha256(token.encode()).digest()
        found = self._cached.get(digest)
        if found is None or found[1] + LEEWAY_SECONDS <= time.time():
            found = self._checked(token)
            if found is None:
                return None
            self._cached[digest] = found
            if len(self._cached) > CACHED_MAX:
                self._cached.popitem(last=False)
        bearer = found[0]
        limits = named(bearer.name)
        return Caller(bearer.name, bearer.roles, limits.calls_per_second, limits.max_amounts) if limits else bearer

    def _checked(self, token: str) -> tuple[Caller, float] | None:
        if len(token) > TOKEN_BYTES_MAX:
            return None
        try:
            header = jwt.get_unverified_header(token)
        except jwt.InvalidTokenError:
            return None
        for public in self._keys:
            if header.get("kid") is not None and public.id is not None and header["kid"] != public.id:
                continue
            claims = self._claims(token, public)
            if claims is not None:
                return _bearer(claims)
        return None

    def _claims(self, token: str, public: _Public) -> dict[str, Any] | None:
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                public.key,
                algorithms=list(public.algorithms),
                audience=self._audience,
                issuer=self._issuer,
                leeway=LEEWAY_SECONDS,
                options={"require": ["exp", "iss", "aud", "sub"]},
            )
        except (jwt.InvalidTokenError, jwt.InvalidKeyError):
            return None
        return claims

    def _look(self) -> None:
        """Read the file again when it has changed; a file that cannot be used leaves the keys as they are."""
        now = time.monotonic()
        if now - self._looked_at < LOOK_SECONDS:
            return
        self._looked_at = now
        stamp = _stamp(self._file)
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self._keys = _read(self._file)
        except UsageProblem as problem:
            log.warning("token_keys_kept", reason=problem.what)
            return
        self._cached.clear()


def _bearer(claims: dict[str, Any]) -> tuple[Caller, float] | None:
    roles = claims.get(CLAIM)
    if not isinstance(roles, list) or not claims["sub"]:
        return None
    return Caller(claims["sub"], frozenset(str(role) for role in roles) & ROLES.keys()), float(claims["exp"])


def _read(file: Path) -> list[_Public]:
    try:
        text = file.read_bytes()
        if b"PRIVATE KEY" in text:
            raise ValueError("it holds a private key")
        if text.lstrip().startswith(b"{"):
            keys = [_of_jwk(one) for one in orjson.loads(text).get("keys", [])]
        else:
            keys = [_public(None, load_pem_public_key(one)) for one in _PEM.findall(text)]
        if not keys:
            raise ValueError("it holds no public key")
    except (OSError, ValueError, TypeError, KeyError, AttributeError, jwt.PyJWTError) as error:
        what = error.strerror if isinstance(error, OSError) else error
        raise UsageProblem(
            "SETTING_INVALID",
            f"PAYMENT_KIT_JWT_KEYS: {file} cannot be used: {what}.",
            next_step="Set it to the issuer's JWKS, or to its public keys as PEM.",
        ) from None
    return keys


def _of_jwk(given: dict[str, Any]) -> _Public:
    if given["kty"] == "oct" or "d" in given:
        raise ValueError("it holds a secret key")
    read = jwt.PyJWK.from_dict(given)
    public = _public(read.key_id, read.key)
    named = given.get("alg")
    return public._replace(algorithms=(named,)) if named in public.algorithms else public


def _public(id_: str | None, key: Any) -> _Public:
    if isinstance(key, rsa.RSAPublicKey):
        return _Public(id_, key, ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"))
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in _CURVES:
        return _Public(id_, key, (_CURVES[key.curve.name],))
    if isinstance(key, ed25519.Ed25519PublicKey | ed448.Ed448PublicKey):
        return _Public(id_, key, ("EdDSA",))
    raise ValueError(f"{type(key).__name__} is no kind of key tokens are signed with")


def _stamp(file: Path) -> tuple[int, int, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino

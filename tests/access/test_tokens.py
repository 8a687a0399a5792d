"""Tokens of the configured issuer open the door; every trick with one does not."""

import base64
import hashlib
import hmac
import time
from pathlib import Path
from typing import Any

import grpc
import jwt
import orjson
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from payment_kit.access import tokens as module
from payment_kit.access.tokens import CLAIM, Tokens
from payment_kit.database.connection import Pool
from payment_kit.errors import UsageProblem
from payment_kit.mirror.inbox import Inbox
from payment_kit.payments.desk import Desk

from .guarded import bearer, guarded

ISSUER, AUDIENCE = "https://id.shop.example", "payments"
RSA = rsa.generate_private_key(65537, 2048)
CURVE = ec.generate_private_key(ec.SECP256R1())


def _pem(key: Any) -> bytes:
    pem: bytes = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return pem


def _claims(**changed: Any) -> dict[str, Any]:
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "till", "exp": time.time() + 300, CLAIM: ["reader"], **changed}
    return {name: value for name, value in claims.items() if value is not None}


def _token(key: Any = RSA, algorithm: Any = "RS256", **changed: Any) -> str:
    return jwt.encode(_claims(**changed), key, algorithm)


def _hs256_with(public: bytes) -> str:
    """PyJWT refuses to sign with a public key, so this is put together by hand."""
    parts = [base64.urlsafe_b64encode(orjson.dumps(one)).rstrip(b"=") for one in ({"alg": "HS256"}, _claims())]
    signature = hmac.new(public, b".".join(parts), hashlib.sha256).digest()
    return b".".join([*parts, base64.urlsafe_b64encode(signature).rstrip(b"=")]).decode()


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    file = tmp_path / "keys.pem"
    file.write_bytes(_pem(RSA) + _pem(CURVE))
    return file


def _bearer(found: Tokens, token: str) -> Any:
    return found.caller(token, lambda _: None)


async def test_a_token_calls_with_the_roles_it_claims(desk: Desk, inbox: Inbox, pool: Pool, keys: Path) -> None:
    get, create = (f"/payment_kit.v1.CustomerService/{name}" for name in ("GetCustomer", "CreateCustomer"))
    async with guarded(desk, inbox, pool, tokens=Tokens(ISSUER, AUDIENCE, keys)) as opened:
        for token in (_token(), _token(CURVE, "ES256")):
            assert await opened.call(get, authorization=bearer(token)).code() == grpc.StatusCode.INVALID_ARGUMENT
            assert await opened.call(create, authorization=bearer(token)).code() == grpc.StatusCode.PERMISSION_DENIED
        assert await opened.call(get, authorization=bearer(_token(aud="x"))).code() == grpc.StatusCode.UNAUTHENTICATED


def test_what_is_not_the_issuers_is_nobodys(keys: Path) -> None:
    found = Tokens(ISSUER, AUDIENCE, keys)
    assert _bearer(found, _token()).name == "till"
    stranger = rsa.generate_private_key(65537, 2048)
    bad = {
        "issuer": _token(iss="https://evil.example"),
        "audience": _token(aud="other"),
        "expired": _token(exp=time.time() - 60),
        "not yet": _token(nbf=time.time() + 60),
        "no expiry": _token(exp=None),
        "no subject": _token(sub=None),
        "no roles": _token(**{CLAIM: None}),
        "stranger": _token(stranger),
        "none": _token(None, "none"),
        "hs256 with the public key": _hs256_with(_pem(RSA)),
        "hs256 with the file": _hs256_with(keys.read_bytes()),
        "cut": _token()[:-4],
        "text": "a.b.c",
    }
    assert [name for name, token in bad.items() if _bearer(found, token) is not None] == []


def test_roles_nobody_knows_are_none(keys: Path) -> None:
    found = _bearer(Tokens(ISSUER, AUDIENCE, keys), _token(**{CLAIM: ["payments", "root"]}))
    assert found.roles == {"payments"}


def test_a_jwks_is_read_again_when_it_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.0)
    file = tmp_path / "jwks.json"

    def write(text: bytes) -> None:
        (tmp_path / "draft").write_bytes(text)
        (tmp_path / "draft").replace(file)

    def jwks(key: Any) -> bytes:
        jwk = jwt.algorithms.ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
        return orjson.dumps({"keys": [{**jwk, "kid": "1", "alg": "ES256"}]})

    write(jwks(CURVE))
    found = Tokens(ISSUER, AUDIENCE, file)
    assert _bearer(found, _token(CURVE, "ES256")) is not None
    write(b"{")
    assert _bearer(found, _token(CURVE, "ES256")) is not None
    write(jwks(ec.generate_private_key(ec.SECP256R1())))
    assert _bearer(found, _token(CURVE, "ES256")) is None


@pytest.mark.parametrize("text", [b"", b'{"keys": [{"kty": "oct", "k": "AAAA"}]}', b"-----BEGIN PRIVATE KEY-----"])
def test_a_file_without_public_keys_is_refused(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "keys").write_bytes(text)
    with pytest.raises(UsageProblem):
        Tokens(ISSUER, AUDIENCE, tmp_path / "keys")

"""A service that asks who calls, over real parts, and callers made for a test."""

import datetime
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from payment_kit.access import callers
from payment_kit.access.callers import Wanted
from payment_kit.access.door import Door
from payment_kit.access.tokens import Tokens
from payment_kit.api.server import GrpcServer
from payment_kit.api.services import Services
from payment_kit.certificates import Certificates
from payment_kit.database.connection import Pool
from payment_kit.mirror.inbox import Inbox
from payment_kit.mirror.intake import Intake
from payment_kit.payments.desk import Desk


@dataclass(frozen=True, slots=True)
class Guarded:
    """A running server and what lets callers in."""

    server: GrpcServer
    channel: grpc.aio.Channel
    door: Door
    pool: Pool
    account: str

    async def key(self, name: str, *roles: str, **more: Any) -> str:
        """A new key of a caller with these roles."""
        return await key_of(self.pool, self.account, name, *roles, **more)

    def call(self, method: str, request: bytes = b"", *, authorization: str | None = None) -> Any:
        """A call of raw bytes."""
        given = (("authorization", authorization),) if authorization is not None else ()
        return self.channel.unary_unary(method)(request, metadata=given)  # type: ignore[arg-type]


async def key_of(pool: Pool, account: str, name: str, *roles: str, **more: Any) -> str:
    """A new key; `more` is of `Wanted`, and `key_expires`."""
    expires = more.pop("key_expires", None)
    async with pool.connection() as connection:
        await callers.save(connection, account, name, Wanted(list(roles) or None, **more))
        return await callers.add_key(connection, account, name, livemode=False, expires=expires)


def bearer(key: str) -> str:
    """The header of a key or a token."""
    return f"Bearer {key}"


def headers(key: str) -> Mapping[str, Any]:
    """The same as an argument of a stub's method."""
    return {"metadata": (("authorization", bearer(key)),)}


@asynccontextmanager
async def guarded(
    desk: Desk,
    inbox: Inbox,
    pool: Pool,
    *,
    certificates: Certificates | None = None,
    channel: grpc.ChannelCredentials | None = None,
    tokens: Tokens | None = None,
) -> AsyncIterator[Guarded]:
    """A running service with a door."""
    account = desk.reader.account
    async with (
        Door(pool, account, livemode=False, tokens=tokens) as door,
        GrpcServer(Services(desk, Intake(inbox, (), livemode=False)), door=door, certificates=certificates) as server,
    ):
        target = f"localhost:{server.port}"
        made = grpc.aio.secure_channel(target, channel) if channel else grpc.aio.insecure_channel(server.address)
        async with made as opened:
            yield Guarded(server, opened, door, pool, account)


class Authority:
    """A certificate authority of one test."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test authority")])
        self._name = name
        self.file = folder / "ca.pem"
        made = self._builder(name, self._key.public_key()).add_extension(x509.BasicConstraints(True, None), True)
        self.file.write_bytes(made.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))

    def issue(self, file: str, common: str, *names: x509.GeneralName) -> tuple[Path, Path]:
        """A certificate and its key, as files."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])
        builder = self._builder(subject, key.public_key())
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), False)
        pem, private = self._folder / f"{file}.pem", self._folder / f"{file}.key"
        pem.write_bytes(builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
        private.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return pem, private

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(int.from_bytes(secrets.token_bytes(8)))
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(days=1))
        )

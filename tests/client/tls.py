"""The service behind TLS: a certificate authority of this test, and where to dial."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
import trustme

from tests.fix_service import Service

from .faulty import between


@dataclass(frozen=True, slots=True)
class Secured:
    """Where the service is, the authority it is trusted by, and the certificate and key of a client it knows."""

    address: str
    ca: Path
    certificate: Path
    key: Path


@asynccontextmanager
async def secured(service: Service, folder: Path, *, mutual: bool = False) -> AsyncIterator[Secured]:
    """`service` through TLS until the block ends; with `mutual` only to clients that show a certificate."""
    authority = trustme.CA()
    server, client = authority.issue_cert("localhost", "127.0.0.1"), authority.issue_cert("shop@example.com")
    files = [folder / name for name in ("ca.pem", "client.pem", "client.key")]
    parts = (authority.cert_pem, client.cert_chain_pems[0], client.private_key_pem)
    for file, part in zip(files, parts, strict=True):
        file.write_bytes(part.bytes())
    pair = (server.private_key_pem.bytes(), server.cert_chain_pems[0].bytes())
    async with behind(service, *pair, authority.cert_pem.bytes() if mutual else None) as address:
        yield Secured(address, *files)


@asynccontextmanager
async def behind(service: Service, key: bytes, certificate: bytes, clients: bytes | None = None) -> AsyncIterator[str]:
    """Where `service` is through TLS with this certificate; `clients` is who vouches for those who may call."""
    credentials = grpc.ssl_server_credentials([(key, certificate)], clients, require_client_auth=clients is not None)
    async with between(service.server.address, credentials=credentials) as way:
        yield way.address.replace("127.0.0.1", "localhost")

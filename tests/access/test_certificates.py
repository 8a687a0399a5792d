"""TLS: certificates change without a restart, half-written ones never, and clients may be known by theirs."""

import asyncio
import ssl
from pathlib import Path
from typing import Any

import grpc
import pytest
from cryptography import x509

from payment_kit.access import callers
from payment_kit.api.server import GrpcServer
from payment_kit.api.services import Services
from payment_kit.certificates import Certificates
from payment_kit.database.connection import Pool
from payment_kit.errors import UsageProblem
from payment_kit.mirror.inbox import Inbox
from payment_kit.payments.desk import Desk
from payment_kit.webhooks.server import WebhookServer

from .guarded import Authority, Guarded, bearer, guarded

GET = "/payment_kit.v1.CustomerService/GetCustomer"
LOCAL = x509.DNSName("localhost")


def _served(port: int) -> int:
    """The serial number of the certificate a server shows to a new connection."""
    return x509.load_pem_x509_certificate(ssl.get_server_certificate(("127.0.0.1", port)).encode()).serial_number


def _serial(pem: Path) -> int:
    return x509.load_pem_x509_certificate(pem.read_bytes()).serial_number


async def _shown(port: int) -> int:
    return await asyncio.to_thread(_served, port)


async def test_a_new_pair_is_shown_without_a_restart_and_half_of_one_never(
    desk: Desk, inbox: Inbox, pool: Pool, tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    pem, key = authority.issue("server", "localhost", LOCAL)
    other_pem, other_key = authority.issue("other", "localhost", LOCAL)
    first, second = _serial(pem), _serial(other_pem)
    credentials = grpc.ssl_channel_credentials(authority.file.read_bytes())
    shown = Certificates(pem, key)
    async with (
        guarded(desk, inbox, pool, certificates=shown, channel=credentials) as opened,
        WebhookServer(_answer, certificates=Certificates(pem, key)) as webhooks,
    ):
        ports = (opened.server.port, webhooks.port)
        assert [await _shown(port) for port in ports] == [first, first]
        other_pem.replace(pem)
        assert [await _shown(port) for port in ports] == [first, first]
        other_key.replace(key)
        assert [await _shown(port) for port in ports] == [second, second]
        caller = bearer(await opened.key("shop", "reader"))
        assert await opened.call(GET, authorization=caller).code() == grpc.StatusCode.INVALID_ARGUMENT


async def _answer(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


@pytest.mark.parametrize(
    ("identity", "names"),
    [
        ("spiffe://shop.example/till", [x509.UniformResourceIdentifier("spiffe://shop.example/till"), LOCAL]),
        ("till.shop.example", [x509.DNSName("till.shop.example")]),
        ("till", []),
    ],
)
async def test_a_certificate_stands_for_the_caller_it_was_allowed_for(
    desk: Desk, inbox: Inbox, pool: Pool, tmp_path: Path, identity: str, names: list[x509.GeneralName]
) -> None:
    authority = Authority(tmp_path)
    pem, key = authority.issue("server", "localhost", LOCAL)
    client_pem, client_key = authority.issue("client", "till", *names)
    root = authority.file.read_bytes()
    mutual = grpc.ssl_channel_credentials(root, client_key.read_bytes(), client_pem.read_bytes())
    shown = Certificates(pem, key, authority.file)
    async with guarded(desk, inbox, pool, certificates=shown, channel=mutual) as opened:
        assert await opened.call(GET).code() == grpc.StatusCode.UNAUTHENTICATED
        await opened.key("till", "reader")
        async with pool.connection() as connection:
            await callers.allow_certificate(connection, opened.account, "till", identity)
        assert await opened.call(GET).code() == grpc.StatusCode.INVALID_ARGUMENT
        bare = grpc.aio.secure_channel(f"localhost:{opened.server.port}", grpc.ssl_channel_credentials(root))
        async with bare as channel:
            refused: Any = Guarded(opened.server, channel, opened.door, pool, opened.account).call(GET)
            assert await refused.code() == grpc.StatusCode.UNAVAILABLE


async def test_outside_this_machine_a_server_wants_tls_and_a_door_that_asks(
    desk: Desk, inbox: Inbox, pool: Pool, tmp_path: Path
) -> None:
    pem, key = Authority(tmp_path).issue("server", "localhost", LOCAL)
    shown = Certificates(pem, key)
    async with guarded(desk, inbox, pool) as opened:
        services: Services = opened.server._services
        for given in ({"door": opened.door}, {"certificates": shown}, {}):
            with pytest.raises(UsageProblem) as caught:
                GrpcServer(services, host="0.0.0.0", **given)
            assert caught.value.reason == "BIND_INSECURE"
        async with GrpcServer(services, host="0.0.0.0", door=opened.door, certificates=shown) as outside:
            assert await _shown(outside.port) == _serial(pem)
    with pytest.raises(UsageProblem):
        WebhookServer(_answer, host="0.0.0.0")
    WebhookServer(_answer, host="0.0.0.0", certificates=shown)


def test_files_that_do_not_belong_together_are_refused_at_the_start(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    pem, key = authority.issue("server", "localhost")
    _, other = authority.issue("other", "localhost")
    for files in ((pem, other), (pem, tmp_path / "none"), (key, key)):
        with pytest.raises(UsageProblem) as caught:
            Certificates(*files)
        assert caught.value.reason == "SETTING_INVALID"

"""The gRPC server: whom it answers and where, health and reflection, and a stop that drops no call."""

import asyncio
from types import TracebackType
from typing import Any, Self

import grpc
import psycopg
import structlog
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer
from grpc_reflection.v1alpha import reflection

from payment_kit.access.door import Door
from payment_kit.addresses import listening, port_taken, require_free, shown
from payment_kit.api.interceptors.around import Interceptor
from payment_kit.api.interceptors.authenticate import authenticate
from payment_kit.api.interceptors.authorise import authorise
from payment_kit.api.interceptors.observe import observe
from payment_kit.api.interceptors.translate import translate
from payment_kit.api.services import Services
from payment_kit.api.serving import serve
from payment_kit.certificates import Certificates
from payment_kit.errors import Problem

CALLS_AT_ONCE_MAX = 1000
MESSAGE_MARGIN_BYTES = 64 << 10
"""What a message may be larger than the largest webhook body."""
STOP_SECONDS = 10.0
"""How long calls, and then writes whose callers have gone, may take to end when the server stops."""
HEALTH_SECONDS = 5.0
"""How often the database is asked whether it is there, and how long it may take to answer, for the health service."""
KEEPALIVE_MILLISECONDS = 60_000
KEEPALIVE_TIMEOUT_MILLISECONDS = 20_000
CLIENT_PING_MILLISECONDS_MIN = 10_000

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING

log = structlog.get_logger(__name__)


class GrpcServer:
    """A server on the running event loop: ``async with GrpcServer(services) as server: server.port``.

    `port` 0 takes a free one; with `shared` other processes may serve at the same one. Raises `UsageProblem`
    BIND_INSECURE for a host that is not this machine's loopback unless there are `certificates` and a `door` that asks
    who calls, and PORT_TAKEN when the port is in use. Health is
    NOT_SERVING while the database does not answer.
    """

    def __init__(
        self,
        services: Services,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        shared: bool = False,
        health_seconds: float = HEALTH_SECONDS,
        door: Door | None = None,
        certificates: Certificates | None = None,
    ) -> None:
        self._services = services
        self._host = listening(host, protected=door is not None and door.asks and certificates is not None)
        self._certificates = certificates
        self.port = port
        self._shared = shared
        self._health = HealthServicer()
        self._health_seconds = health_seconds
        self._watching: asyncio.Task[None] | None = None
        self._names: list[str] = []
        wraps = [observe, translate, *([authenticate(door), authorise(door)] if door else [])]
        self._server = grpc.aio.server(
            interceptors=[Interceptor(wrap) for wrap in wraps],
            maximum_concurrent_rpcs=CALLS_AT_ONCE_MAX,
            options=_options(services.intake.body_bytes_max + MESSAGE_MARGIN_BYTES, shared=shared),
        )

    @property
    def address(self) -> str:
        """``host:port`` as a client dials it."""
        return shown(self._host, self.port)

    async def start(self) -> int:
        """Listen and answer; returns the port."""
        self._names += serve(self._services, self._server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        known = [*self._names, health_pb2.DESCRIPTOR.services_by_name["Health"].full_name, reflection.SERVICE_NAME]
        reflection.enable_server_reflection(known, self._server)
        self.port = self._bind()
        await self._server.start()
        await self._say(serving=True)
        self._watching = asyncio.create_task(self._watch())
        return self.port

    async def stop(self, seconds: float = STOP_SECONDS) -> None:
        """Say NOT_SERVING, take no new calls, end streams, let the other calls and writes that reached Stripe end."""
        self._services.stopping.set()
        if self._watching:
            self._watching.cancel()
        await self._health.enter_graceful_shutdown()
        await self._server.stop(seconds)
        await self._services.desk.writes.settle(seconds)

    async def wait(self) -> None:
        """Returns when the server has stopped."""
        await self._server.wait_for_termination()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def _watch(self) -> None:
        """Health follows the database for as long as the server runs."""
        serving = True
        while True:
            await asyncio.sleep(self._health_seconds)
            found = await self._database_answers()
            if found != serving:
                log.warning("health", serving=found)
                await self._say(serving=found)
                serving = found

    async def _say(self, *, serving: bool) -> None:
        for name in ("", *self._names):
            await self._health.set(name, SERVING if serving else NOT_SERVING)

    async def _database_answers(self) -> bool:
        try:
            async with asyncio.timeout(HEALTH_SECONDS):
                await self._services.desk.reader.check()
        except (Problem, psycopg.Error, TimeoutError):
            return False
        return True

    def _bind(self) -> int:
        # Asked first by a plain socket, because gRPC's core writes its own lines to stderr when it cannot bind.
        require_free(self._host, self.port, shared=self._shared)
        try:
            if self._certificates is None:
                return self._server.add_insecure_port(shown(self._host, self.port))
            return self._server.add_secure_port(shown(self._host, self.port), _credentials(self._certificates))
        except RuntimeError:
            raise port_taken(self._host, self.port) from None


def _credentials(certificates: Certificates) -> grpc.ServerCredentials:
    """Asked for at each handshake, so that a new certificate needs no restart; with a client CA both sides show one."""

    def configured() -> Any:
        key, chain, client_ca = certificates.pair
        return grpc.ssl_server_certificate_configuration([(key, chain)], root_certificates=client_ca)

    def newer() -> Any:
        return configured() if certificates.newer() else None

    mutual = certificates.pair.client_ca is not None
    return grpc.dynamic_ssl_server_credentials(configured(), newer, require_client_authentication=mutual)


def _options(message_bytes_max: int, *, shared: bool) -> list[tuple[str, int]]:
    return [
        ("grpc.so_reuseport", int(shared)),
        ("grpc.max_receive_message_length", message_bytes_max),
        ("grpc.max_send_message_length", message_bytes_max),
        ("grpc.keepalive_time_ms", KEEPALIVE_MILLISECONDS),
        ("grpc.keepalive_timeout_ms", KEEPALIVE_TIMEOUT_MILLISECONDS),
        ("grpc.http2.min_recv_ping_interval_without_data_ms", CLIENT_PING_MILLISECONDS_MIN),
    ]

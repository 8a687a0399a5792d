"""`payment-kit health`: is the service serving? For container engines and load balancers that run a command."""

from pathlib import Path
from typing import Any

import click
import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from payment_kit import config
from payment_kit.addresses import shown
from payment_kit.client.channel import Tls, credentials

SECONDS_MAX = 4.0


@click.command("health")
@click.argument("address", required=False)
@click.option(
    "--ca",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Trust this certificate authority (PEM) and speak TLS.",
)
def command(*, address: str | None, ca: Path | None) -> int:
    """Ask the service at ADDRESS (host:port; by default the one of this installation) by grpc.health.v1.

    Exit code: 0 it is serving, 1 it is not, because its database is away, it is stopping, or nobody answers.
    """
    if address is None:
        settings = config.load()
        address = shown(settings.host, settings.port)
    answer = _asked(address, Tls(ca=ca) if ca else None)
    click.echo(f"{answer} {address}")
    return 0 if answer == "SERVING" else 1


def _asked(address: str, tls: Tls | None) -> str:
    secure = credentials(address, tls)
    channel = grpc.insecure_channel(address) if secure is None else grpc.secure_channel(address, secure)
    stub: Any = health_pb2_grpc.HealthStub(channel)
    with channel:
        try:
            answer = stub.Check(health_pb2.HealthCheckRequest(), timeout=SECONDS_MAX)
        except grpc.RpcError as failed:
            code: grpc.StatusCode = failed.code()
            return code.name
    name: str = health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)
    return name

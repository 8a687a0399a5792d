"""How a client reaches the service: plain on this machine's loopback, TLS everywhere else."""

import ipaddress
from dataclasses import dataclass
from pathlib import Path

import grpc

OPTIONS = (
    # We try again ourselves, with the same request_id and a bound; nobody else should multiply that.
    ("grpc.enable_retries", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2000),
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
)


@dataclass(frozen=True, slots=True)
class Tls:
    """Whom to trust and who we are: files in PEM.

    Without `ca` the certificate authorities that gRPC brings along are trusted; `certificate` and `key` belong together
    and are shown to a service that asks for them.
    """

    ca: Path | str | None = None
    certificate: Path | str | None = None
    key: Path | str | None = None

    def credentials(self) -> grpc.ChannelCredentials:
        """The credentials of gRPC; raises OSError for a file that cannot be read, ValueError for half a pair."""
        if (self.certificate is None) != (self.key is None):
            raise ValueError("a client certificate needs its key, and a key its certificate")
        ca, key, chain = (
            None if file is None else Path(file).read_bytes() for file in (self.ca, self.key, self.certificate)
        )
        return grpc.ssl_channel_credentials(ca, key, chain)


def credentials(target: str, tls: Tls | None) -> grpc.ChannelCredentials | None:
    """What to connect to `target` with; None is plain HTTP/2, which no key and no payment crosses a network with."""
    if tls is None and is_local(target):
        return None
    return (tls or Tls()).credentials()


def is_local(target: str) -> bool:
    """Whether ``host:port`` or ``unix:…`` stays on this machine."""
    if target.startswith(("unix:", "unix-abstract:")):
        return True
    host = target.rpartition(":")[0].strip("[]")
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False

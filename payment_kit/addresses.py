"""Where a server may listen: on this machine's loopback, as long as there is no TLS."""

import errno
import ipaddress
import socket

from payment_kit.errors import UsageProblem


def loopback(host: str) -> str:
    """`host` as an address of this machine's loopback; raises `UsageProblem` BIND_INSECURE for any other."""
    if host == "localhost":
        return "127.0.0.1"
    try:
        if ipaddress.ip_address(host).is_loopback:
            return host
    except ValueError:
        pass
    raise UsageProblem("BIND_INSECURE", f"{host} is not a loopback address.")


def port_taken(host: str, port: int, error: OSError | None = None) -> UsageProblem:
    """The refusal when somebody else listens there, or when `error` forbids it for another reason."""
    if error is None or error.errno == errno.EADDRINUSE:
        return UsageProblem("PORT_TAKEN", f"Port {port} of {host} is taken.")
    what = f"Port {port} of {host} cannot be used: {error.strerror or error}."
    return UsageProblem("PORT_TAKEN", what, next_step="Choose another port or address.")


def require_free(host: str, port: int) -> None:
    """Raises `UsageProblem` PORT_TAKEN when nobody else could listen there now; port 0, any free one, always passes."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise port_taken(host, port, error) from None


def shown(host: str, port: int) -> str:
    """``host:port`` as a client dials it, IPv6 in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

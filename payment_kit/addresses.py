"""Where a server may listen: on this machine's loopback, and elsewhere only when it is protected."""

import errno
import ipaddress
import socket

from payment_kit.errors import UsageProblem


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach `host`."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def listening(host: str, *, protected: bool = False) -> str:
    """`host` as an address to listen on. One outside this machine's loopback raises `UsageProblem` BIND_INSECURE unless
    the server is `protected`: by TLS, and by asking who calls or checking who signed."""
    if host == "localhost":
        return "127.0.0.1"
    if is_loopback(host):
        return host
    if not protected:
        raise UsageProblem("BIND_INSECURE", f"{host} is not a loopback address.")
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        raise UsageProblem("SETTING_INVALID", f"PAYMENT_KIT_HOST: {host} is not an IP address.") from None


def port_taken(host: str, port: int, error: OSError | None = None) -> UsageProblem:
    """The refusal when somebody else listens there, or when `error` forbids it for another reason."""
    if error is None or error.errno == errno.EADDRINUSE:
        return UsageProblem("PORT_TAKEN", f"Port {port} of {host} is taken.")
    what = f"Port {port} of {host} cannot be used: {error.strerror or error}."
    return UsageProblem("PORT_TAKEN", what, next_step="Choose another port or address.")


def require_free(host: str, port: int, *, shared: bool = False) -> None:
    """Raises `UsageProblem` PORT_TAKEN when nobody else could listen there now; port 0, any free one, always passes."""
    bound(host, port, shared=shared).close()


def bound(host: str, port: int, *, shared: bool = False) -> socket.socket:
    """A TCP socket at `port` of `host`, which with `shared` others may have too if they say so as well.

    Raises `UsageProblem` PORT_TAKEN.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named, because asyncio sets TCP_NODELAY only then; without it an answer may wait 40 ms for an ACK.
    made = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shared:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        made.bind((host, port))
    except OSError as error:
        made.close()
        raise port_taken(host, port, error) from None
    return made


def shown(host: str, port: int) -> str:
    """``host:port`` as a client dials it, IPv6 in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

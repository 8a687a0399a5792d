"""Where a server may listen: on this machine's loopback, as long as there is no TLS."""

import ipaddress

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


def port_taken(host: str, port: int) -> UsageProblem:
    """The refusal when somebody else listens there."""
    return UsageProblem("PORT_TAKEN", f"Port {port} of {host} is taken.")


def shown(host: str, port: int) -> str:
    """``host:port`` as a client dials it, IPv6 in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

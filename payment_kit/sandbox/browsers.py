"""Pages of other sites: what a browser that visits one must not do to a sandbox on this machine.

Its keys follow from a seed, so such a page may know one. Two rules keep it out: the control API is not answered under a
name of the public DNS, which can be pointed at this machine ("DNS rebinding"), and a secret key is not taken from a
page of the public web. Publishable keys are for browsers, wherever their page comes from.
"""

import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit

from payment_kit.sandbox.errors import ApiError

# names no public server answers to (RFC 2606, 6761, 6762, 8375; .internal is reserved by ICANN), .lan by habit
_HERE = ("example", "home.arpa", "internal", "invalid", "lan", "local", "localhost", "test")


def check_host(headers: Mapping[str, str], server: str) -> None:
    """Raise `ApiError` 403 for a request that came over the loopback under a public name; `server` is our address."""
    host = headers.get("host", "")
    if _loopback(server) and _public_name(_host(f"//{host}")):
        message = f"Ask the control API at localhost or 127.0.0.1: '{host[:100]}' may be a name of another site."
        raise ApiError(403, message, code="sandbox_foreign_page", stored=False)


def check_origin(headers: Mapping[str, str]) -> None:
    """Raise `ApiError` 403 for a request that a page of the public web, or one without a site, makes."""
    origin = headers.get("origin")
    if origin is not None and (origin == "null" or _public(_host(origin))):
        message = (
            f"A page of '{origin[:100]}' may not use a secret key of the sandbox; publishable keys are for browsers."
        )
        raise ApiError(403, message, code="sandbox_foreign_page", stored=False)


def _host(url: str) -> str | None:
    """The host in a URL; None when it cannot be read."""
    try:
        return (urlsplit(url).hostname or "").rstrip(".")
    except ValueError:
        return None


def _public(host: str | None) -> bool:
    address = _address(host)
    return _public_name(host) if address is None else address.is_global


def _public_name(host: str | None) -> bool:
    """Whether the public DNS may hold this name; an address is no name."""
    if host is None:
        return True
    return _address(host) is None and "." in host and not host.endswith(tuple(f".{end}" for end in _HERE))


def _loopback(address: str) -> bool:
    found = _address(address)
    return found is not None and found.is_loopback


def _address(text: str | None) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text or "")
    except ValueError:
        return None

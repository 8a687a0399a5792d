"""Parameters of a read as Stripe reads them from a URL."""

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode


def encode(params: Mapping[str, Any]) -> str:
    """``{"created": {"gte": 1}, "expand": ["data.source"], "active": True}`` as
    ``created[gte]=1&expand[0]=data.source&active=true``; what is None is left out.

    The rules are the SDK's (``stripe._encode``); a test holds both to each other.
    """
    return urlencode(list(_pairs(params))).replace("%5B", "[").replace("%5D", "]")


def _pairs(params: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in params.items():
        match value:
            case None:
                continue
            case Mapping():
                yield from _pairs({f"{name}[{key}]": item for key, item in value.items()})
            case list() | tuple():
                yield from _pairs({f"{name}[{number}]": item for number, item in enumerate(value)})
            case bool():
                yield name, str(value).lower()
            case _:
                yield name, str(value)

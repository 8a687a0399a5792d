"""Requests seen: the last ones a world answered, for assertions and for the live page. Secrets never leave it."""

import re
from collections import deque
from typing import Any, NamedTuple

from payment_kit.sandbox.errors import ApiError, unknown

REQUESTS_MAX = 1000
PARAMS_BYTES_MAX = 8192
_FILTERS = {"method", "path", "status", "request_id", "key", "account"}
_SECRET = re.compile(r"secret|password|token|cvc|account_number|routing_number|iban|ssn|id_number|^number$")
_KEY_LIKE = re.compile(r"(?:[sr]k_(?:test|live)|whsec)_\w+|\w+_secret_\w+")


class Request(NamedTuple):
    """One request as it was answered."""

    method: str
    path: str
    params: dict[str, Any] | None
    status: int
    request_id: str
    key: str
    account: str | None
    version: str
    idempotency_key: str | None
    fault: str | None


class Seen:
    """The last `REQUESTS_MAX` requests, oldest first."""

    def __init__(self) -> None:
        self._last: deque[Request] = deque(maxlen=REQUESTS_MAX)
        self.total = 0

    def add(self, request: Request) -> None:
        """Remember one; the oldest goes when there are too many."""
        self._last.append(request)
        self.total += 1

    def clear(self) -> None:
        """Forget all."""
        self._last.clear()
        self.total = 0

    def listed(self, limit: int = 100, **wanted: str) -> list[dict[str, Any]]:
        """The newest `limit` (at most `REQUESTS_MAX`), newest first, whose fields are as `wanted`; secrets redacted."""
        found: list[dict[str, Any]] = []
        for request in reversed(self._last):
            if len(found) >= limit:
                break
            if all(str(getattr(request, name)) == value for name, value in wanted.items()):
                found.append({**request._asdict(), "params": _redacted(request.params)})
        return found


def _redacted(value: Any, name: str = "") -> Any:
    if isinstance(value, dict):
        return {inner: _redacted(part, inner) for inner, part in value.items()}
    if isinstance(value, str):
        return "[redacted]" if _SECRET.search(name) else _KEY_LIKE.sub("[redacted]", value)
    return value


def asked(seen: Seen, query: dict[str, list[str]]) -> list[dict[str, Any]]:
    """The answer of ``GET /_sandbox/requests``; raises `ApiError` 400 for a filter it does not have."""
    wanted = {name: values[-1] for name, values in query.items()}
    limit = wanted.pop("limit", "100")
    if not re.fullmatch(r"[0-9]{1,4}", limit) or not 1 <= int(limit) <= REQUESTS_MAX:
        raise ApiError(400, f"Invalid limit: must be 1 to {REQUESTS_MAX}.", param="limit", stored=False)
    for name in wanted.keys() - _FILTERS:
        raise unknown(name)
    return seen.listed(int(limit), **wanted)

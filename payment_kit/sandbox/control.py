"""The sandbox's own API beside Stripe's, below ``/_sandbox/``. JSON in, JSON out, with the secret key of a world.

Every operation is one row of `OPERATIONS`; ``GET /_sandbox/help`` answers with them. A ``Stripe-Account`` header
selects a connected account where an operation is about objects.
"""

from collections.abc import Mapping
from inspect import isawaitable
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import orjson

from payment_kit.sandbox.controls import account, outside, overview, truth, webhooks
from payment_kit.sandbox.controls.desk import Desk, Lines, Operation
from payment_kit.sandbox.errors import ApiError
from payment_kit.sandbox.store import Store

if TYPE_CHECKING:
    from payment_kit.sandbox.app import Answer, Scope
    from payment_kit.sandbox.world import World, Worlds

PREFIX = "/_sandbox/"
QUERY_FIELDS_MAX = 20


def _help(desk: Desk) -> list[dict[str, str]]:
    return [
        {"method": one.method, "path": PREFIX + one.path.replace("*", "{id}"), "takes": one.takes, "gives": one.gives}
        for one in OPERATIONS
    ]


OPERATIONS: tuple[Operation, ...] = (
    *account.OPERATIONS,
    *truth.OPERATIONS,
    *webhooks.OPERATIONS,
    *outside.OPERATIONS,
    *overview.OPERATIONS,
    Operation("GET", "help", _help, "", "this table"),
)


async def answer(worlds: "Worlds", world: "World", scope: "Scope", body: bytes) -> "Answer":
    """The answer of one control operation on the world of the key; raises `ApiError`."""
    operation, found = _match(scope["method"], scope["path"].removeprefix(PREFIX))
    desk = Desk(worlds, world, _account(world, scope), found, _json(body), _query(scope["query_string"]))
    result = operation.handler(desk)
    if isawaitable(result):
        result = await result
    if isinstance(result, Lines):
        lines = b"".join(orjson.dumps(row) + b"\n" for row in result.rows)
        return 200, lines, {"content-type": "application/x-ndjson"}
    return 200, orjson.dumps(result), {}


def document() -> str:
    """The table as Markdown, for the documents."""
    lines = ["| operation | takes | gives |", "| --- | --- | --- |"]
    for one in OPERATIONS:
        path = one.path.replace("*", "{id}")
        lines.append(f"| `{one.method} {PREFIX}{path}` | {one.takes} | {one.gives} |".replace("  ", " "))
    return "\n".join(lines)


def _match(method: str, path: str) -> tuple[Operation, tuple[str, ...]]:
    parts = path.strip("/").split("/")
    for operation in OPERATIONS:
        shape = operation.path.split("/")
        if operation.method == method and len(shape) == len(parts):
            pairs = list(zip(shape, parts, strict=True))
            if all(wanted in ("*", part) and part for wanted, part in pairs):
                return operation, tuple(part for wanted, part in pairs if wanted == "*")
    raise ApiError(
        404, f"The control API has no {method} {PREFIX}{path}; GET {PREFIX}help tells what it has.", stored=False
    )


def _account(world: "World", scope: "Scope") -> Store:
    headers: Mapping[bytes, bytes] = dict(scope["headers"])
    id_ = headers.get(b"stripe-account", b"").decode("latin-1")
    if id_ in ("", world.account_id):
        return world.store
    if id_ not in world.store.connected:
        raise ApiError(403, f"There is no connected account {id_[:100]}.", code="account_invalid", stored=False)
    return world.store.connected[id_]


def _query(text: bytes) -> dict[str, str]:
    try:
        return dict(parse_qsl(text.decode("latin-1"), max_num_fields=QUERY_FIELDS_MAX))
    except ValueError:
        raise ApiError(400, f"A query has at most {QUERY_FIELDS_MAX} fields.", stored=False) from None


def _json(body: bytes) -> dict[str, Any]:
    try:
        value = orjson.loads(body or b"{}")
    except orjson.JSONDecodeError:
        value = None
    if not isinstance(value, dict):
        raise ApiError(400, "The control API takes one JSON object.", stored=False)
    return value

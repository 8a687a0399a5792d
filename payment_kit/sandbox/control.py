"""The sandbox's own API beside Stripe's, below ``/_sandbox/``: clock, faults, truth. JSON in, JSON out, the same key.

| operation | body | answer |
|---|---|---|
| POST clock | ``{"advance_to": unix}`` or ``{"advance_seconds": n}``, at most 31 days | ``{"now"}`` |
| POST delivery | fields of `delivery.Plan` | the whole plan |
| POST delivery/flush | ``{"timeout_seconds"}`` (at most 300) | ``{"flushed", "waiting"}`` |
| POST reset | ``{"seed", "now"}`` | ``{"now", "seed"}``; account and key stay |
| POST payouts/fail_next | ``{"currency", "code"}`` | the same: the next payout made in it fails at arrival |
| POST payment_intents/{id}/authenticate | ``{"succeed"}`` | the payment intent |
| POST charges/{id}/dispute | ``{"reason"}`` | the dispute |
| POST faults | fields of `faults.Plan`, ``next`` | the whole plan |
| POST keys | ``{"permissions", "expires_at", "name"}`` | a restricted key; the only answer that holds its text |
| POST keys/{id}/revoke | | the key |
| POST version | ``{"api_version"}`` | the same: what requests without ``Stripe-Version`` and new events follow |
| POST worlds/close | | ``{"closed"}``: the world of the key is gone, with its state folder |
| GET keys | | the restricted keys |
| GET requests | ``?limit=&method=&path=&status=&request_id=&key=&account=`` | the last requests, newest first |
| GET stats | | ``{"account", "delivery", "faults", "now", "objects", "seed"}`` |
| GET objects/{kind} | ``?starting_after=&limit=`` | rows as the API shows them, oldest first, one JSON per line |
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import orjson

from payment_kit.sandbox import clock, ids, keys, requests, versions
from payment_kit.sandbox.balance import payouts
from payment_kit.sandbox.call import Call, public, unit
from payment_kit.sandbox.errors import ApiError
from payment_kit.sandbox.kinds import KINDS
from payment_kit.sandbox.payments import disputes, intents
from payment_kit.sandbox.plan import Plan
from payment_kit.sandbox.store import Row
from payment_kit.sandbox.world import fresh_meta

if TYPE_CHECKING:
    from payment_kit.sandbox.app import Answer, Scope
    from payment_kit.sandbox.world import World, Worlds

DUMP_ROWS_DEFAULT, DUMP_ROWS_MAX = 1000, 10_000
FLUSH_SECONDS_MAX = 300.0
NOW_MAX = 4_102_444_800  # 2100-01-01


async def answer(worlds: "Worlds", world: "World", scope: "Scope", body: bytes) -> "Answer":
    """The answer of one control operation on the world of the key; raises `ApiError`."""
    parts = scope["path"].removeprefix("/_sandbox/").strip("/").split("/")
    method: str = scope["method"]
    if method == "GET":
        return _read(world, parts, parse_qs(scope["query_string"].decode("latin-1")))
    given = _json(body)
    match parts if method == "POST" else []:
        case ["delivery", "flush"]:
            seconds = _number(given, "timeout_seconds", 0, FLUSH_SECONDS_MAX, default=30)
            flushed = await world.delivery.flush(seconds)
            return _ok({"flushed": flushed, "waiting": world.delivery.waiting})
        case ["worlds", "close"]:
            await worlds.close_world(world)
            return _ok({"closed": world.account_id})
        case ["faults" | "keys" | "version", *_]:
            return _ok(_access(world, parts, given))
        case [_, *_]:
            return _ok(_outside(world, parts, given))
    raise ApiError(404, f"The control API has no {method} {scope['path']}.", stored=False)


def _outside(world: "World", parts: list[str], given: dict[str, Any]) -> object:
    """What the world around the account does: time, banks, customers, networks."""
    match parts:
        case ["delivery"]:
            return _set_plan(world, given)
        case ["clock"]:
            return _advance(world, given)
        case ["reset"]:
            return _reset(world, given)
        case ["payouts", "fail_next"]:
            return _fail_next(world, given)
        case ["payment_intents", id_, "authenticate"]:
            succeed = given.get("succeed", True)
            if not isinstance(succeed, bool):
                raise _invalid("succeed", "must be true or false")
            return _do(world, id_, lambda call: intents.authenticate(call, succeed))
        case ["charges", id_, "dispute"]:
            reason = given.get("reason", "fraudulent")
            return _do(world, id_, lambda call: _dispute(call, reason))
    raise ApiError(404, f"The control API has no POST /_sandbox/{'/'.join(parts)}.", stored=False)


def _access(world: "World", parts: list[str], given: dict[str, Any]) -> object:
    match parts:
        case ["faults"]:
            return world.faults.configure(given)
        case ["keys"]:
            return keys.make(world, given)
        case ["keys", id_, "revoke"]:
            return keys.revoke(world, id_)
        case ["version"]:
            return versions.choose(world.store, given)
    raise ApiError(404, f"The control API has no POST /_sandbox/{'/'.join(parts)}.", stored=False)


def _read(world: "World", parts: list[str], query: dict[str, list[str]]) -> "Answer":
    store = world.store
    match parts:
        case ["stats"]:
            counts = {kind: sum("deleted" not in row for row in store.rows(kind)) for kind in KINDS}
            delivery = {**world.delivery.counts, "retrying": world.delivery.parked, "waiting": world.delivery.waiting}
            account = ids.account(store.meta["account_seed"])
            return _ok(
                {
                    "account": account,
                    "delivery": delivery,
                    "faults": world.faults.counts,
                    "now": store.now,
                    "objects": counts,
                    "seed": store.meta["seed"],
                }
            )
        case ["keys"]:
            return _ok(keys.listed(world))
        case ["requests"]:
            return _ok(requests.asked(world.seen, query))
        case ["objects", "payout_items"]:
            lines = [
                {"payout": row["_payout"], "balance_transaction": row["id"]}
                for row in store.rows("balance_transaction")
                if row["_payout"] is not None
            ]
            return _lines(lines)
        case ["objects", kind]:
            return _lines(_dump(world, kind.removesuffix("s") if kind not in KINDS else kind, query))
    raise ApiError(404, f"The control API has no GET /_sandbox/{'/'.join(parts)}.", stored=False)


def _dump(world: "World", kind: str, query: dict[str, list[str]]) -> list[Row]:
    if kind not in KINDS:
        raise ApiError(404, f"The sandbox has no objects of type {kind}; it has {', '.join(KINDS)}.", stored=False)
    table = world.store.tables[kind]
    limit = query.get("limit", [str(DUMP_ROWS_DEFAULT)])[0]
    if not limit.isdigit() or not 1 <= int(limit) <= DUMP_ROWS_MAX:
        raise _invalid("limit", f"must be 1 to {DUMP_ROWS_MAX}")
    first, after = 0, query.get("starting_after", [""])[0]
    if after:
        if after not in table.rows:
            raise _invalid("starting_after", f"there is no {kind} {after}")
        first = (table.position(after) or 0) + 1
    return [public(table.rows[id_]) for id_ in table.order[first : first + int(limit)]]


def _advance(world: "World", given: dict[str, Any]) -> dict[str, int]:
    store = world.store
    if ("advance_to" in given) == ("advance_seconds" in given):
        raise _invalid("advance_to", "send either advance_to or advance_seconds")
    to = given["advance_to"] if "advance_to" in given else given["advance_seconds"]
    if isinstance(to, bool) or not isinstance(to, int):
        raise _invalid("advance_to", "must be whole seconds")
    to += 0 if "advance_to" in given else store.now
    if not store.now <= to <= store.now + clock.STEP_SECONDS_MAX:
        raise _invalid("advance_to", f"must not be before now ({store.now}) nor more than 31 days after it")
    world.delivery.add(clock.advance(store, to))
    return {"now": store.now}


def _set_plan(world: "World", given: dict[str, Any]) -> dict[str, Any]:
    try:
        world.delivery.set_plan(Plan.read(given))
    except (TypeError, ValueError) as error:
        raise _invalid("plan", str(error)) from None
    return dict(world.store.meta["plan"])


def _reset(world: "World", given: dict[str, Any]) -> dict[str, int]:
    meta = world.store.meta
    seed = _number(given, "seed", 0, 2**63 - 1, default=meta["seed"])
    now = _number(given, "now", 0, NOW_MAX, default=meta["start"])
    world.reset(fresh_meta(int(seed), int(now), meta["account_seed"]))
    return {"now": int(now), "seed": int(seed)}


def _fail_next(world: "World", given: dict[str, Any]) -> dict[str, str]:
    currency, code = given.get("currency"), given.get("code", "account_closed")
    if not isinstance(currency, str) or len(currency) != 3:
        raise _invalid("currency", "must be a three-letter currency code")
    if code not in payouts.FAILURES:
        raise _invalid("code", f"must be one of {', '.join(payouts.FAILURES)}")
    world.store.set_meta(fail_next={**world.store.meta["fail_next"], currency.lower(): code})
    world.store.commit()
    return {"currency": currency.lower(), "code": code}


def _do(world: "World", id_: str, action: Callable[[Call], Row]) -> Row:
    """Run something the outside world does (a customer, a bank) as one unit."""
    store = world.store
    call = Call(store, f"control {id_} {store.meta['requests']}", path=(id_,))
    store.set_meta(requests=store.meta["requests"] + 1)
    try:
        return public(unit(call, action))
    finally:
        world.delivery.add(store.commit())


def _dispute(call: Call, reason: str) -> Row:
    if reason not in disputes.NETWORK_REASON:
        raise _invalid("reason", f"must be one of {', '.join(disputes.NETWORK_REASON)}")
    charge = call.find("charge", call.path[0])
    if not charge["captured"] or charge["disputed"] or charge["amount_refunded"]:
        raise ApiError(400, f"Charge {charge['id']} is not captured, already disputed or refunded.")
    return disputes.open_dispute(call, charge, reason)


def _json(body: bytes) -> dict[str, Any]:
    try:
        value = orjson.loads(body or b"{}")
    except orjson.JSONDecodeError:
        value = None
    if not isinstance(value, dict):
        raise ApiError(400, "The control API takes one JSON object.", stored=False)
    return value


def _number(given: dict[str, Any], name: str, least: float, most: float, default: float) -> float:
    value = given.get(name, default)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not least <= value <= most:
        raise _invalid(name, f"must be a number from {least} to {most}")
    return value


def _invalid(param: str, message: str) -> ApiError:
    return ApiError(400, f"Invalid {param}: {message}.", param=param, stored=False)


def _ok(value: object) -> "Answer":
    return 200, orjson.dumps(value), {}


def _lines(rows: list[Row]) -> "Answer":
    return 200, b"".join(orjson.dumps(row) + b"\n" for row in rows), {"content-type": "application/x-ndjson"}

"""The door: HTTP in Stripe's protocol. Keys, accounts, versions, idempotency, faults, headers; no business rule.

A request is executed in one go between two awaits, so requests never see each other half-done.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from email.utils import formatdate
from functools import lru_cache
from hashlib import blake2b
from typing import Any

import orjson

from payment_kit.sandbox import browsers, control, faults, form, ids, keys, listing, page, registry, thin, versions
from payment_kit.sandbox.call import Call, public, unit
from payment_kit.sandbox.delivery import WAITING_MAX
from payment_kit.sandbox.endpoint import Endpoint
from payment_kit.sandbox.errors import ApiError, rendered, unrecognized
from payment_kit.sandbox.faults import Dropped, Fault, Faults
from payment_kit.sandbox.keys import Key
from payment_kit.sandbox.requests import PARAMS_BYTES_MAX, Request
from payment_kit.sandbox.store import Row, Store
from payment_kit.sandbox.world import Worlds

BODY_BYTES_MAX = 1 << 20
IDEMPOTENCY_KEY_MAX = 255
METHODS = ("GET", "POST", "DELETE")
PAGE_PATHS = ("/_sandbox", "/_sandbox/")
CLOSE = "sandbox.close"

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Answer = tuple[int, bytes, dict[str, str]]

_log = logging.getLogger(__name__)
# what a browser needs to call the API of another origin; Stripe sends the same
_CORS = {
    "access-control-allow-methods": "GET, HEAD, PUT, PATCH, POST, DELETE",
    "access-control-allow-origin": "*",
    "access-control-expose-headers": "Request-Id, Stripe-Should-Retry",
    "access-control-max-age": "300",
    "cache-control": "no-cache, no-store",
}
_PREFLIGHT = {**_CORS, "access-control-allow-headers": "*, Authorization"}


class Visit:
    """One request on its way through the door."""

    __slots__ = ("account", "fault", "headers", "key", "method", "params", "path", "request_id", "store", "version")

    def __init__(self, method: str, path: str, headers: Mapping[str, str], request_id: str) -> None:
        self.method, self.path, self.headers, self.request_id = method, path, headers, request_id
        self.key: Key | None = None
        self.account = ""
        self.version = versions.NEWEST
        self.fault: Fault | None = None
        self.params: dict[str, Any] | None = None

    def enter(self, key: Key) -> None:
        """Now it is known whose request this is."""
        self.key, self.store, self.account = key, key.world.store, key.world.account_id
        self.request_id = key.world.next_request_id()
        self.version = self.store.meta.get("api_version", versions.NEWEST)


class Door:
    """What answers the HTTP requests of a sandbox, as an ASGI application."""

    def __init__(self, worlds: Worlds) -> None:
        self.worlds = worlds
        self.failures = 0
        self._requests = 0
        self._started = time.time_ns()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        self._requests += 1
        request_id = ids.derive("request", self.worlds.api_key, self._started, self._requests)
        visit = Visit(scope["method"], scope["path"], headers, request_id)
        try:
            status, body, extra = await self._answered(scope, receive, visit)
        except ApiError as error:
            status, body, extra = error.status, rendered(error, visit.account, visit.request_id), {}
        except Dropped:
            self._seen(visit, 0)
            await _drop(scope)
            return
        except Exception as error:  # noqa: BLE001  # whatever it is, the client gets an answer
            status, body, extra = 500, self._failed(error, visit), {}
        self._seen(visit, status)
        fault = visit.fault
        if fault is not None:
            extra |= fault.headers()
            if fault.name == "slow_page" and body.startswith(b'{"object":"list"'):
                await asyncio.sleep(fault.seconds)
        # another site's script may use the API, as it may Stripe's, but not read what the control API knows
        cors = {} if visit.path.startswith("/_sandbox") else _CORS
        extra = {"content-type": "application/json", **cors, "request-id": visit.request_id, **extra}
        extra |= {"date": _date(self._now(visit)), "stripe-version": visit.version, "content-length": str(len(body))}
        encoded = [(name.encode(), value.encode("latin-1")) for name, value in extra.items()]
        await send({"type": "http.response.start", "status": status, "headers": encoded})
        if fault is not None and fault.name == "truncate":
            await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
            await _drop(scope)
            return
        await send({"type": "http.response.body", "body": b"" if visit.method == "HEAD" else body})

    def _now(self, visit: Visit) -> int:
        return (self.worlds.default if visit.key is None else visit.key.world).store.now

    def _failed(self, error: Exception, visit: Visit) -> bytes:
        """An exception nobody foresaw is a bug of the sandbox: logged, and told in Stripe's shape."""
        self.failures += 1
        _log.error("%s %s failed, %s", visit.method, visit.path, visit.request_id, exc_info=error)
        return rendered(faults.broken(), visit.account, visit.request_id)

    def _seen(self, visit: Visit, status: int) -> None:
        key = visit.key
        if key is None or not visit.path.startswith("/v"):
            return
        account, fault = visit.store.meta.get("account"), visit.fault
        key.world.seen.add(
            Request(
                method=visit.method,
                path=visit.path,
                params=visit.params,
                status=status,
                request_id=visit.request_id,
                key=key.kind,
                account=account,
                version=visit.version,
                idempotency_key=visit.headers.get("idempotency-key"),
                fault=None if fault is None else fault.name,
            )
        )

    async def _answered(self, scope: Scope, receive: Receive, visit: Visit) -> Answer:
        path = visit.path
        if path.startswith("/_sandbox"):
            browsers.check_host(visit.headers, (scope.get("server") or ("",))[0])
        if path in PAGE_PATHS and visit.method in ("GET", "HEAD"):
            return page.answer()
        if visit.method == "OPTIONS" and not path.startswith("/_sandbox"):
            return 200, b"", dict(_PREFLIGHT)
        visit.enter(await self.worlds.key(visit.headers.get("authorization", "")))
        key = visit.key
        if key is not None and key.kind != keys.PUBLISHABLE:
            browsers.check_origin(visit.headers)
        if path.startswith("/_sandbox/") and key is not None:
            if key.kind != keys.SECRET:
                raise ApiError(403, "The control API takes the secret key of a world.", stored=False)
            return await control.answer(self.worlds, key.world, scope, await _body(receive))
        method = "GET" if visit.method == "HEAD" else visit.method
        if not path.startswith(("/v1/", "/v2/")) or path.endswith("/") or method not in METHODS:
            raise unrecognized(visit.method, path)
        return await self._api(scope, receive, visit, method)

    async def _api(self, scope: Scope, receive: Receive, visit: Visit, method: str) -> Answer:
        key, headers = visit.key, visit.headers
        if key is None:
            raise RuntimeError("a request of /v1 has a key")
        version = headers.get("stripe-version")
        if version is not None:
            visit.version = versions.known(version)
        account = headers.get("stripe-account") or headers.get("stripe-context")
        if account is not None:
            visit.store = key.world.account(account, key)
        matching = registry.match if visit.path.startswith("/v1/") else thin.match
        endpoint, found = matching(method, visit.path[4:])
        named = headers.get("idempotency-key") if method == "POST" else None
        troubles = key.world.faults
        account = visit.store.meta.get("account", "")
        visit.fault = troubles.chosen(headers.get("sandbox-fault"), method, endpoint.path, named, account)
        if visit.fault is not None:
            await self._before(visit.fault, troubles)
        if named is None:
            raw = _allowed(await self._raw(scope, receive, visit), endpoint, found, visit)
            return self._execute(endpoint, found, raw, visit, None, "")
        if not 0 < len(named) <= IDEMPOTENCY_KEY_MAX:
            raise ApiError(
                400, f"Idempotency keys have 1 to {IDEMPOTENCY_KEY_MAX} characters.", kind="idempotency_error"
            )
        held = (visit.store.meta.get("account", ""), named)
        if held in key.world.in_use:
            raise ApiError(
                409,
                "There is currently another in-progress request using this Idempotent Key (that probably means you "
                "submitted twice, and the other request is still going through).",
                kind="idempotency_error",
                code="idempotency_key_in_use",
            )
        key.world.in_use.add(held)
        try:
            raw = _allowed(await self._raw(scope, receive, visit), endpoint, found, visit)
            return self._once(endpoint, found, raw, visit, named)
        finally:
            key.world.in_use.discard(held)

    async def _before(self, fault: Fault, given: Faults) -> None:
        if fault.name == "slow":
            await asyncio.sleep(fault.seconds)
        if fault.name == "hang":
            await given.hang(fault.seconds)
            raise Dropped("a fault on demand closed the connection after it had hung")
        if fault.name == "drop_before":
            raise Dropped("a fault on demand closed the connection before anything was done")
        refusal = fault.refusal()
        if refusal is not None:
            raise refusal

    async def _raw(self, scope: Scope, receive: Receive, visit: Visit) -> dict[str, Any]:
        body = await _body(receive)
        if body and "json" in visit.headers.get("content-type", ""):
            raise ApiError(400, "Invalid request: /v1 takes application/x-www-form-urlencoded, not JSON.", stored=False)
        try:
            text = body.decode()
        except UnicodeDecodeError:
            raise ApiError(400, "Invalid form: not UTF-8.", stored=False) from None
        query = scope["query_string"].decode("latin-1")
        raw = form.decode("&".join(part for part in (query, text) if part))
        visit.params = raw if len(body) + len(query) <= PARAMS_BYTES_MAX else {"…": "more than is kept"}
        return raw

    def _once(self, endpoint: Endpoint, found: tuple[str, ...], raw: dict[str, Any], visit: Visit, key: str) -> Answer:
        """Execute once per key: the same request again gets the same answer, another one is refused."""
        # a browser's key gets less of an object to see, so it never shares an answer with a secret key
        shown = ["browser"] if visit.key is not None and visit.key.kind == keys.PUBLISHABLE else []
        told = orjson.dumps([visit.path, raw, *shown], option=orjson.OPT_SORT_KEYS)
        print_ = blake2b(told, digest_size=16).hexdigest()
        stored = visit.store.answered(key)
        if stored is None:
            return self._execute(endpoint, found, raw, visit, key, print_)
        if stored["print"] != print_:
            raise ApiError(
                400,
                "Keys for idempotent requests can only be used with the same parameters they were first used with. "
                f"Try using a key other than '{key}' if you meant to execute a different request.",
                kind="idempotency_error",
            )
        headers = {"idempotent-replayed": "true", "idempotency-key": key, "original-request": stored["request"]}
        return stored["status"], stored["body"].encode(), headers

    def _execute(
        self,
        endpoint: Endpoint,
        found: tuple[str, ...],
        raw: dict[str, Any],
        visit: Visit,
        key: str | None,
        print_: str,
    ) -> Answer:
        store = visit.store
        call = self._call(endpoint, found, visit, key)
        try:
            call.params = form.read(endpoint.kinds, raw, endpoint.required)
            status, body = 200, unit(call, lambda call: self._shown(call, endpoint, visit))
            if visit.fault is not None and visit.fault.name == "error_during":
                store.rollback()
                raise faults.kept()
        except ApiError as error:
            if not error.stored or endpoint.method == "GET":
                store.commit()
                raise
            status, body = error.status, rendered(error, visit.account, visit.request_id)
        except Exception as error:  # noqa: BLE001  # kept under the key, as Stripe keeps it
            store.rollback()
            status, body = 500, self._failed(error, visit)
        headers: dict[str, str] = {}
        if key is not None:
            answer = {"print": print_, "status": status, "body": body.decode(), "request": visit.request_id}
            store.remember(key, answer)
            headers |= {"idempotency-key": key, "original-request": visit.request_id}
        owed = store.commit()
        if owed and visit.key is not None:
            visit.key.world.delivery.add(owed)
        if visit.fault is not None:
            _lose(visit.fault)
        return status, body, headers

    def _call(self, endpoint: Endpoint, found: tuple[str, ...], visit: Visit, key: str | None) -> Call:
        """The unit of work; what changes something has an id that follows from its key or its number."""
        store = visit.store
        source = f"key {key}" if key is not None else f"request {store.meta['requests']}"
        if endpoint.method != "GET":
            if visit.key is not None and visit.key.world.delivery.waiting > WAITING_MAX:
                raise ApiError(
                    429, f"More than {WAITING_MAX} webhooks wait for their receiver.", code="rate_limit", stored=False
                )
            if key is None:
                store.set_meta(requests=store.meta["requests"] + 1)
        return Call(store, source, request_id=visit.request_id, key=key, path=found)

    def _shown(self, call: Call, endpoint: Endpoint, visit: Visit) -> bytes:
        """Do it. The answer as JSON: private fields away, asked references expanded, in the version asked for."""
        result = endpoint.handler(call)
        call.settle()
        store = call.store
        if result.get("object") == "list":
            result = {**result, "data": _shown_rows(store, result["data"])}
        else:
            (result,) = _shown_rows(store, [result])
        paths = [path for path in call.params.get("expand") or () if path]
        result = listing.expand(store, result, paths, registry.INCLUDES)
        # an event keeps the version it was made in, whoever asks
        if visit.version != versions.NEWEST and not endpoint.path.startswith("events"):
            result = versions.render(result, visit.version, store)
        if visit.key is not None and visit.key.kind == keys.PUBLISHABLE:
            result = keys.shown(result)
        return orjson.dumps(result)


def _allowed(raw: dict[str, Any], endpoint: Endpoint, found: tuple[str, ...], visit: Visit) -> dict[str, Any]:
    """The parameters, when the key may do this operation at all: an answer kept under an idempotency key is one too."""
    if visit.key is None or visit.key.kind == keys.SECRET:
        return raw
    return keys.allowed(visit.key, visit.store, endpoint.method, endpoint.path, raw, found)


def _shown_rows(store: Store, rows: list[Row]) -> list[Row]:
    """Rows as a client sees them; an event tells how many endpoints wait for it, in the version it was made in."""
    if not rows or rows[0].get("object") != "event":
        return [public(row) for row in rows]
    root = store.platform or store
    endpoints = [
        endpoint["id"]
        for each in (store, root)[: 1 + (root is not store)]
        for endpoint in each.rows("webhook_endpoint")
        if "deleted" not in endpoint
    ]
    shown = []
    for row in rows:
        waiting = sum(f"{row['id']}|{endpoint}" in root.waiting for endpoint in endpoints)
        shown.append(versions.render({**public(row), "pending_webhooks": waiting}, row["api_version"], store))
    return shown


def _lose(fault: Fault) -> None:
    """The faults that hide an answer after the work was done."""
    if fault.name == "error_after":
        raise faults.broken()
    if fault.name == "drop_after":
        raise Dropped("a fault on demand closed the connection after everything was done")


async def _drop(scope: Scope) -> None:
    """Close the connection; without one, in-process, the caller gets the exception."""
    close = scope.get("extensions", {}).get(CLOSE)
    if close is None:
        raise Dropped("a fault on demand closed the connection")
    close["now"]()
    # the transport tells the server of it in the next turn of the loop
    await asyncio.sleep(0)
    await asyncio.sleep(0)


async def _body(receive: Receive) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise ApiError(400, "The request ended early.", stored=False)
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > BODY_BYTES_MAX:
            raise ApiError(413, f"The request is larger than {BODY_BYTES_MAX} bytes.", stored=False)
        chunks.append(chunk)
        if not message.get("more_body"):
            return b"".join(chunks)


@lru_cache(maxsize=64)
def _date(now: int) -> str:
    return formatdate(now, usegmt=True)

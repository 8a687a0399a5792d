"""The door: HTTP in Stripe's protocol. Authentication, versions, idempotency keys, errors, headers; no business rule.

A request is executed in one go between two awaits, so requests never see each other half-done.
"""

import base64
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from email.utils import formatdate
from hashlib import blake2b
from typing import Any

import orjson

from payment_kit.sandbox import control, form, ids, listing, registry
from payment_kit.sandbox.call import API_VERSION, Call, public, unit
from payment_kit.sandbox.delivery import WAITING_MAX, Delivery
from payment_kit.sandbox.endpoint import Endpoint
from payment_kit.sandbox.errors import ApiError
from payment_kit.sandbox.store import Row, Store

BODY_BYTES_MAX = 1 << 20
IDEMPOTENCY_KEY_MAX = 255

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Answer = tuple[int, bytes, dict[str, str]]


class Door:
    """The ASGI application below Starlette's lifespan."""

    def __init__(self, store: Store, delivery: Delivery) -> None:
        self.store, self.delivery = store, delivery
        self.in_use: set[str] = set()
        self._requests = 0
        self._started = time.time_ns()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        self._requests += 1
        request_id = ids.derive("request", self.store.meta["account_seed"], self._started, self._requests)
        try:
            self._authenticate(headers)
            if scope["path"].startswith("/_sandbox/"):
                status, body, extra = await control.answer(self, scope, await _body(receive))
            else:
                status, body, extra = await self._api(scope, receive, headers, request_id)
        except ApiError as error:
            status, body, extra = error.status, _rendered(error), {}
        extra = {"content-type": "application/json", **extra, "request-id": request_id}
        extra |= {"date": formatdate(self.store.now, usegmt=True), "stripe-version": API_VERSION}
        extra["content-length"] = str(len(body))
        encoded = [(name.encode(), value.encode("latin-1")) for name, value in extra.items()]
        await send({"type": "http.response.start", "status": status, "headers": encoded})
        await send({"type": "http.response.body", "body": body})

    def _authenticate(self, headers: Mapping[str, str]) -> None:
        scheme, _, value = headers.get("authorization", "").partition(" ")
        key = value.strip()
        if scheme.lower() == "basic":
            try:
                key = base64.b64decode(value, validate=True).decode().partition(":")[0]
            except ValueError:
                key = ""
        if key == ids.api_key(self.store.meta["account_seed"]):
            return
        if not key:
            message = "You did not provide an API key. You need to provide your API key in the Authorization header."
        elif key.startswith(("sk_live", "rk_live", "pk_live")):
            message = "This is a sandbox: it refuses live keys. Take the live key out of this configuration."
        else:
            message = (
                f"Invalid API Key provided: {key[:7]}{'*' * 12}{key[-4:]}"
                if len(key) > 20
                else "Invalid API Key provided"
            )
        raise ApiError(401, message, stored=False)

    async def _api(self, scope: Scope, receive: Receive, headers: Mapping[str, str], request_id: str) -> Answer:
        path: str = scope["path"]
        if not path.startswith("/v1/"):
            raise ApiError(404, f"Unrecognized request URL ({scope['method']}: {path}).", stored=False)
        if headers.get("stripe-version", API_VERSION) != API_VERSION:
            raise ApiError(400, f"The sandbox speaks Stripe-Version {API_VERSION} only.", stored=False)
        if headers.get("stripe-account") not in (None, ids.account(self.store.meta["account_seed"])):
            raise ApiError(
                403, "The provided key does not have access to this account.", code="account_invalid", stored=False
            )
        endpoint, found = registry.match(scope["method"], path[4:])
        key = headers.get("idempotency-key") if endpoint.method == "POST" else None
        if key is None:
            raw = await self._raw(scope, receive, headers)
            return self._execute(endpoint, found, raw, request_id, None, "")
        if not 0 < len(key) <= IDEMPOTENCY_KEY_MAX:
            raise ApiError(
                400, f"Idempotency keys have 1 to {IDEMPOTENCY_KEY_MAX} characters.", kind="idempotency_error"
            )
        if key in self.in_use:
            raise ApiError(
                409,
                "There is currently another in-progress request using this Idempotent Key (that probably means you "
                "submitted twice, and the other request is still going through).",
                kind="idempotency_error",
                code="idempotency_key_in_use",
            )
        self.in_use.add(key)
        try:
            raw = await self._raw(scope, receive, headers)
            return self._once(endpoint, found, raw, request_id, key, path)
        finally:
            self.in_use.discard(key)

    async def _raw(self, scope: Scope, receive: Receive, headers: Mapping[str, str]) -> dict[str, Any]:
        body = await _body(receive)
        if body and "json" in headers.get("content-type", ""):
            raise ApiError(400, "Invalid request: /v1 takes application/x-www-form-urlencoded, not JSON.", stored=False)
        try:
            text = body.decode()
        except UnicodeDecodeError:
            raise ApiError(400, "Invalid form: not UTF-8.", stored=False) from None
        query = scope["query_string"].decode("latin-1")
        return form.decode("&".join(part for part in (query, text) if part))

    def _once(
        self,
        endpoint: Endpoint,
        found: tuple[str, ...],
        raw: dict[str, Any],
        request_id: str,
        key: str,
        path: str,
    ) -> Answer:
        """Execute once per key: the same request again gets the same answer, another one is refused."""
        print_ = blake2b(orjson.dumps([path, raw], option=orjson.OPT_SORT_KEYS), digest_size=16).hexdigest()
        stored = self.store.idempotency.get(key)
        if stored is None:
            return self._execute(endpoint, found, raw, request_id, key, print_)
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
        request_id: str,
        key: str | None,
        print_: str,
    ) -> Answer:
        store = self.store
        if endpoint.method != "GET" and self.delivery.waiting > WAITING_MAX:
            raise ApiError(
                429, f"More than {WAITING_MAX} webhooks wait for their receiver.", code="rate_limit", stored=False
            )
        source = f"key {key}" if key is not None else f"request {store.meta['requests']}"
        if key is None and endpoint.method != "GET":
            store.set_meta(requests=store.meta["requests"] + 1)
        try:
            call = Call(store, source, request_id=request_id, key=key, path=found)
            call.params = form.read(endpoint.kinds, raw, endpoint.required)
            status, body = 200, unit(call, lambda call: self._answered(call, endpoint))
        except ApiError as error:
            if not error.stored or endpoint.method == "GET":
                store.commit()
                raise
            status, body = error.status, _rendered(error)
        except BaseException:
            store.rollback()
            raise
        headers = {}
        if key is not None:
            answer = {"print": print_, "status": status, "body": body.decode(), "request": request_id}
            store.remember(key, answer)
            headers["idempotency-key"] = key
        owed = store.commit()
        if owed:
            self.delivery.add(owed)
        return status, body, headers

    def _answered(self, call: Call, endpoint: Endpoint) -> bytes:
        result = endpoint.handler(call)
        call.settle()
        return self._shown(call, result)

    def _shown(self, call: Call, result: Row) -> bytes:
        """The answer as JSON: private fields away, asked references expanded, events with what they still wait for."""
        if result.get("object") == "list":
            result = {**result, "data": [self._row(row) for row in result["data"]]}
        else:
            result = self._row(result)
        paths = [path for path in call.params.get("expand") or () if path]
        return orjson.dumps(listing.expand(self.store, result, paths, registry.INCLUDES))

    def _row(self, row: Row) -> Row:
        shown = public(row)
        if shown.get("object") == "event":
            shown["pending_webhooks"] = sum(
                f"{row['id']}|{endpoint['id']}" in self.store.waiting
                for endpoint in self.store.rows("webhook_endpoint")
            )
        return shown


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


def _rendered(error: ApiError) -> bytes:
    return orjson.dumps({"error": error.error})

"""What a scenario does, written down: each request with its answer, ids and times and addresses masked."""

import re
import secrets
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from payment_kit.sandbox.contract.client import Client, encoded

POLLS_MAX, POLL_SECONDS = 30, 2.0
# what lies in the account or in chance, not in the behaviour of the API
FREE = frozenset(
    "account_country account_name authorization_code balance_type calculated_statement_descriptor doc_url fingerprint "
    "invoice_prefix message network_transaction_id next_invoice_sequence number payment_method_configuration_details "
    "receipt_number reference request_log_url risk_score seller_message statement_descriptor transaction_id".split()
)
_ID = re.compile(r"(?!pm_card_)\b([a-z]+)_(?:[a-z]+_)*(?=[a-z]*[A-Z0-9])[A-Za-z0-9]{8,}\b")
# days and numbers of invoices inside descriptions
_DAY = re.compile(r"\b\d{1,2} [A-Z][a-z]{2} \d{4}\b")
_NUMBER = re.compile(r"\b[A-Z0-9]{8}-\d{4}\b")
_SECRET = re.compile(r"_secret_\w+")
_TIMES = range(1_000_000_000, 4_200_000_000)


class Step(NamedTuple):
    """One request and its answer, masked."""

    request: str
    status: int
    body: Any


class Ended(Exception):
    """A step lacks what the next ones need; the comparison shows why."""


class Steps:
    """The client of one scenario: asks, remembers what it was told, and knows what to clean up.

    `run` marks everything that is named by us, so that two runs on one account do not meet.
    """

    def __init__(self, client: Client, run: str, poll_seconds: float = POLL_SECONDS) -> None:
        self.run = run
        self.taken: list[Step] = []
        self._client, self._poll_seconds = client, poll_seconds
        self._names: dict[str, str] = {}
        self._made: list[str] = []

    def post(self, path: str, key: str | None = None, /, **params: Any) -> "Told":
        """A POST; without a `key` it gets an idempotency key of its own."""
        return self._do("POST", path, params, key)

    def get(self, path: str, /, **params: Any) -> "Told":
        """A GET."""
        return self._do("GET", path, params, None)

    def delete(self, path: str, /) -> "Told":
        """A DELETE."""
        return self._do("DELETE", path, {}, None)

    def until(self, path: str, done: Callable[[dict[str, Any]], Any], /, **params: Any) -> "Told":
        """A GET that is repeated until the answer is `done`; only the last one counts. Raises `Ended`."""
        for _ in range(POLLS_MAX):
            answer = self._client.ask("GET", path, encoded(params), None)
            if answer.status == 200 and done(answer.body):
                break
            time.sleep(self._poll_seconds)
        else:
            raise Ended(path)
        return self._write("GET", path, params, answer.status, answer.body)

    def clean_up(self) -> None:
        """Delete what can be deleted, newest first; what is gone already is fine."""
        for path in reversed(self._made):
            self._client.ask("DELETE", path, "", None)

    def _do(self, method: str, path: str, params: dict[str, Any], key: str | None) -> "Told":
        key = f"{self.run}-{key or secrets.token_hex(8)}" if method == "POST" else None
        answer = self._client.ask(method, path, encoded(params), key)
        made = _DELETABLE.get(answer.body.get("object", "")) if method == "POST" and answer.status == 200 else None
        if made and f"{made}/{answer.body['id']}" not in self._made:
            self._made.append(f"{made}/{answer.body['id']}")
        return self._write(method, path, params, answer.status, answer.body)

    def _write(self, method: str, path: str, params: dict[str, Any], status: int, body: dict[str, Any]) -> "Told":
        request = f"{method} /v1/{path} {encoded(params)}".strip()
        for id_, name in self._names.items():
            request = request.replace(id_, name)
        step = Step(request.replace(self.run, "<run>"), status, self._masked(body, f"step{len(self.taken) + 1}"))
        self.taken.append(step)
        return Told(body)

    def _masked(self, value: Any, at: str) -> Any:
        if isinstance(value, dict):
            return {
                name: "<free>"
                if name in FREE and value[name] is not None
                else self._masked(value[name], f"{at}.{name}")
                for name in sorted(value)
            }
        if isinstance(value, list):
            return [self._masked(part, f"{at}[{place}]") for place, part in enumerate(value)]
        if isinstance(value, str):
            return self._text(value, at)
        return "<time>" if not isinstance(value, bool) and isinstance(value, int) and value in _TIMES else value

    def _text(self, value: str, at: str) -> str:
        if value.startswith(("http://", "https://")):
            return "<url>"
        value = _NUMBER.sub("<number>", _DAY.sub("<day>", value))
        # an id is called after the place where it was first seen: an object more on one side renames nothing
        return _ID.sub(
            lambda id_: self._names.setdefault(id_[0], f"<{id_[1]} of {at}>"),
            _SECRET.sub("", value.replace(self.run, "<run>")),
        )


_DELETABLE = {
    "customer": "customers",
    "product": "products",
    "coupon": "coupons",
    "webhook_endpoint": "webhook_endpoints",
    "test_helpers.test_clock": "test_helpers/test_clocks",
}


class Told(dict[str, Any]):
    """A body; a field that it lacks ends the scenario."""

    def __missing__(self, name: str) -> Any:
        raise Ended(name)

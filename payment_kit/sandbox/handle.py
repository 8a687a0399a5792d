"""One world of a sandbox as a test sees it: its address and key, Stripe's own client, its clock, its webhooks.

It speaks HTTP, so it works for a sandbox in this process, in another one, or on another machine.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import ProxyHandler, Request, build_opener

import orjson

if TYPE_CHECKING:
    import stripe

TIMEOUT_SECONDS = 330.0
STEP_DAYS_MAX = 31
DAY = 86_400
# a sandbox is reached directly, whatever proxy the environment names for the internet
_OPENER = build_opener(ProxyHandler({}))


class SandboxError(RuntimeError):
    """The sandbox refused an order; the message is its sentence."""


@dataclass(frozen=True)
class Webhook:
    """One webhook as it would arrive: `body` is signed as it is, byte for byte, in ``headers["Stripe-Signature"]``."""

    id: str
    type: str
    body: bytes
    headers: Mapping[str, str]

    @property
    def signature(self) -> str:
        """The ``Stripe-Signature`` header."""
        return self.headers["Stripe-Signature"]

    @property
    def event(self) -> dict[str, Any]:
        """The body as JSON has it."""
        event: dict[str, Any] = orjson.loads(self.body)
        return event


class StripeSandbox:
    """A world of a running sandbox: everything in it belongs to `api_key`.

    Every method raises `SandboxError` with the sandbox's sentence when the order is impossible, and OSError when no
    sandbox is there.
    """

    def __init__(self, url: str, api_key: str) -> None:
        self.url, self.api_key = url, api_key
        self.clock = Clock(self)
        self.webhooks = Webhooks(self)

    @cached_property
    def webhook_secret(self) -> str:
        """What the collected webhooks are signed with."""
        return str(self.read("stats")["webhook_secret"])

    @cached_property
    def client(self) -> "stripe.StripeClient":
        """Stripe's own client, pointed here; it does not retry."""
        import stripe

        bases = {"api": self.url, "connect": self.url, "files": self.url, "meter_events": self.url}
        return stripe.StripeClient(self.api_key, base_addresses=bases, max_network_retries=0)  # type: ignore[arg-type]

    def fail_next_payment(self, customer: str | None = None, decline: str = "generic_decline", count: int = 1) -> None:
        """Decline the next `count` payments of a customer, or of anybody."""
        self.order("payments/fail_next", customer=customer, decline=decline, count=count)

    def trigger(self, event: str) -> dict[str, Any]:
        """Make an event of this type happen through real objects; the event."""
        made: dict[str, Any] = self.order("trigger", event=event)["event"]
        return made

    def snapshot(self, name: str = "default") -> str:
        """Keep everything as it is now under a name, which it returns for `restore`."""
        self.order("snapshots", name=name)
        return name

    def restore(self, name: str = "default") -> None:
        """Make everything what it was at the snapshot."""
        self.order(f"snapshots/{name}/restore")
        self.webhooks.forget()

    def reset(self, **options: int) -> None:
        """Begin again, empty; ``seed`` and ``now`` (unix seconds) may be given."""
        self.order("reset", **options)
        self.webhooks.forget()

    def requests(self, **filters: str) -> list[dict[str, Any]]:
        """The last requests the sandbox answered, newest first."""
        found: list[dict[str, Any]] = self.read("requests", **filters)
        return found

    def order(self, path: str, /, **body: Any) -> Any:
        """POST any operation of the control API."""
        return self._ask(path, orjson.dumps(body))

    def read(self, path: str, /, **query: str) -> Any:
        """GET any operation of the control API that answers with JSON."""
        asked = f"?{urlencode(query)}" if query else ""
        return self._ask(path + asked)

    def _ask(self, path: str, body: bytes | None = None) -> Any:
        headers = {"Authorization": f"Bearer {self.api_key}", "Content-Type": "application/json"}
        request = Request(f"{self.url}/_sandbox/{path}", body, headers)  # noqa: S310  # the test's own address
        try:
            with _OPENER.open(request, timeout=TIMEOUT_SECONDS) as answer:
                return orjson.loads(answer.read())
        except HTTPError as error:
            with error:
                raise SandboxError(orjson.loads(error.read())["error"]["message"]) from None


class Clock:
    """The world's clock."""

    def __init__(self, sandbox: StripeSandbox) -> None:
        self._sandbox = sandbox

    @property
    def now(self) -> int:
        """Unix seconds."""
        return int(self._sandbox.read("clock")["now"])

    def advance(self, *, days: int = 0, hours: int = 0, seconds: int = 0) -> int:
        """Let so much time pass, with everything that falls due; the time then."""
        return self.advance_to(self.now + days * DAY + hours * 3600 + seconds)

    def advance_to(self, to: int) -> int:
        """Let time pass until `to` (unix seconds)."""
        now = self.now
        while now < to - STEP_DAYS_MAX * DAY:
            now = self._sandbox.order("clock", advance_to=now + STEP_DAYS_MAX * DAY)["now"]
        return int(self._sandbox.order("clock", advance_to=to)["now"])


class Webhooks:
    """The webhooks of a world, collected instead of received."""

    def __init__(self, sandbox: StripeSandbox) -> None:
        self._sandbox = sandbox
        self._taken: dict[tuple[str, str], int] = {}

    def list(self, type: str = "*", *, endpoint: str = "") -> "list[Webhook]":  # noqa: A002  # Stripe's word
        """What came since the last `clear`, in order; ``invoice.*`` takes a family."""
        found = self._sandbox.read("webhooks", type=type, endpoint=endpoint, limit="1000")
        return [_webhook(one) for one in found]

    def wait_for(self, type: str, *, timeout: float = 10.0, endpoint: str = "") -> Webhook:  # noqa: A002
        """The next webhook of this type that was not returned before; raises TimeoutError when none comes.

        It blocks: in a test that runs the receiver in its own event loop, use ``asyncio.to_thread``.
        """
        skip = self._taken.get((type, endpoint), 0)
        found = self._sandbox.order(
            "webhooks/wait", type=type, endpoint=endpoint, skip=skip, limit=1, timeout_seconds=timeout
        )
        if not found:
            came = ", ".join(one.type for one in self.list()) or "none at all"
            raise TimeoutError(f"no webhook {type} came within {timeout:g} s; these came: {came}")
        self._taken[type, endpoint] = skip + 1
        return _webhook(found[0])

    def clear(self) -> None:
        """Begin to collect anew."""
        self._sandbox.order("webhooks/clear")
        self.forget()

    def forget(self) -> None:
        """Return again what `wait_for` returned before."""
        self._taken.clear()


def _webhook(one: dict[str, Any]) -> Webhook:
    return Webhook(one["id"], one["type"], one["body"].encode(), one["headers"])

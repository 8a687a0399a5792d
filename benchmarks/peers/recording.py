"""One business, recorded from the sandbox: the objects and events that the fake Stripe multiplies and serves."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import orjson

from payment_kit.sandbox import SandboxThread, StripeSandbox
from payment_kit.sandbox.business import play, read
from payment_kit.sandbox.kinds import KINDS

BUSINESS = Path(__file__).with_name("business.toml")
PAGE = 100
ANSWER_SECONDS = 30
COMPARED = ("product", "price", "customer", "subscription", "invoice", "charge", "payment_intent")
"""The kinds that every contender copies, parents first."""

_BESIDES = ("payment_method", "setup_intent", "refund", "dispute", "balance_transaction", "payout", "invoiceitem",
            "invoice_payment", "event")  # fmt: skip
"""What the compared kinds refer to: some contenders ask for it one by one."""
_ASKED: Mapping[str, Mapping[str, str]] = {"subscription": {"status": "all"}}

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Recording:
    """The account, its objects by kind, newest first, and its events, oldest first, exactly as the sandbox answered."""

    account: Json
    objects: dict[str, list[Json]]
    events: list[Json]

    @property
    def compared(self) -> int:
        """How many objects one copy of the business has of the kinds that everybody copies."""
        return sum(len(self.objects[kind]) for kind in COMPARED)

    def save(self, path: Path) -> None:
        """Write it for another process."""
        path.write_bytes(orjson.dumps([self.account, self.objects, self.events]))

    @classmethod
    def load(cls, path: Path) -> "Recording":
        """Read what `save` wrote."""
        return cls(*orjson.loads(path.read_bytes()))


def record(business: Path = BUSINESS) -> Recording:
    """Play the business and list everything the sandbox holds of it; the same bytes on every machine."""
    plan = read(str(business))
    thread = SandboxThread(now=plan.start)
    play(thread.sandbox, plan)
    objects: dict[str, list[Json]] = {}
    with thread as stripe:
        for kind in (*COMPARED, *_BESIDES):
            asked = [_ASKED.get(kind, {})]
            if kind == "payment_method":
                asked = [{"customer": customer["id"]} for customer in objects["customer"]]
            found = [each for params in asked for each in _listed(stripe, f"/v1/{KINDS[kind].path}", params)]
            objects[kind] = sorted(found, key=lambda each: -made(each))
        account = _answer(stripe, "/v1/account", {})
    events = objects.pop("event")
    events.reverse()
    return Recording(account, objects, events)


def made(one: Json) -> int:
    """When an object was made, in Unix seconds; an invoice item says ``date``. 0: it does not say."""
    return int(one.get("created") or one.get("date") or 0)


def _listed(stripe: StripeSandbox, path: str, params: Mapping[str, str]) -> Iterator[Json]:
    asked = {"limit": str(PAGE), **params}
    while True:
        page = _answer(stripe, path, asked)
        yield from page["data"]
        if not page["has_more"]:
            return
        asked["starting_after"] = page["data"][-1]["id"]


def _answer(stripe: StripeSandbox, path: str, params: Mapping[str, str]) -> Json:
    request = Request(f"{stripe.url}{path}?{urlencode(params)}", headers={"Authorization": f"Bearer {stripe.api_key}"})
    with urlopen(request, timeout=ANSWER_SECONDS) as response:
        answer: Json = json.load(response)
    return answer

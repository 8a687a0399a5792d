"""The sandbox as the demo uses it beside the service: its clock, its deliveries, its customers' browsers, its truth."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import aiohttp
import orjson

from payment_kit.errors import Broken

Request = AbstractAsyncContextManager[aiohttp.ClientResponse]

TIMEOUT_SECONDS = 320.0
PAGE_ROWS = 10_000


class SandboxControl:
    """Calls of the sandbox's control API, and of Stripe's own where a person would use the Dashboard."""

    def __init__(self, session: aiohttp.ClientSession, base: str, api_key: str) -> None:
        self._session = session
        self._base = base
        self._key = api_key

    async def reset(self, seed: int, now: int) -> None:
        """An empty sandbox at the virtual time `now`; its account and key stay."""
        await self._post("/_sandbox/reset", {"seed": seed, "now": now})

    async def advance(self, to: int) -> None:
        """Moves the clock; everything due until then happens."""
        await self._post("/_sandbox/clock", {"advance_to": to})

    async def plan_deliveries(self, plan: Mapping[str, float]) -> None:
        """Which shares of the webhooks are duplicated, delayed, reordered, dropped."""
        await self._post("/_sandbox/delivery", dict(plan))

    async def flush(self, seconds: float) -> dict[str, Any]:
        """Waits until no webhook waits, at most `seconds`."""
        return await self._post("/_sandbox/delivery/flush", {"timeout_seconds": seconds})

    async def stats(self) -> dict[str, Any]:
        """Counters of deliveries and objects."""
        return await self._get("/_sandbox/stats")

    async def authenticate(self, payment_intent: str, *, succeed: bool) -> None:
        """The customer's browser passes or fails 3-D Secure."""
        await self._post(f"/_sandbox/payment_intents/{payment_intent}/authenticate", {"succeed": succeed})

    async def fail_next_payout(self, currency: str, code: str) -> None:
        """The bank will refuse the next payout."""
        await self._post("/_sandbox/payouts/fail_next", {"currency": currency, "code": code})

    async def answer_dispute(self, payment_intent: str, *, win: bool) -> None:
        """Hands in evidence for the dispute about a payment, as the shop would in the Dashboard."""
        found = await self._get(f"/v1/disputes?payment_intent={payment_intent}")
        dispute = found["data"][0]["id"]
        evidence = "winning_evidence" if win else "losing_evidence"
        form = {"evidence[uncategorized_text]": evidence, "submit": "true"}
        await self._answer(self._session.post(f"{self._base}/v1/disputes/{dispute}", data=form, headers=self._auth))

    async def objects(self, kind: str) -> list[dict[str, Any]]:
        """Every object of a kind as the sandbox has it, oldest first."""
        found: list[dict[str, Any]] = []
        after = ""
        while True:
            url = f"{self._base}/_sandbox/objects/{kind}?limit={PAGE_ROWS}{after}"
            body = await self._body(self._session.get(url, headers=self._auth))
            page = [orjson.loads(line) for line in body.splitlines()]
            found += page
            if len(page) < PAGE_ROWS or "id" not in page[-1]:
                return found
            after = f"&starting_after={page[-1]['id']}"

    async def _post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        headers = self._auth | {"Content-Type": "application/json"}
        return await self._answer(self._session.post(self._base + path, data=json.dumps(body), headers=headers))

    async def _get(self, path: str) -> dict[str, Any]:
        return await self._answer(self._session.get(self._base + path, headers=self._auth))

    async def _answer(self, request: Request) -> dict[str, Any]:
        answer: dict[str, Any] = orjson.loads(await self._body(request))
        return answer

    async def _body(self, request: Request) -> bytes:
        try:
            async with request as response:
                body = await response.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise Broken("DEMO_FAILED", f"The sandbox at {self._base} went away ({type(error).__name__}).") from None
        if response.status >= 300:
            said = orjson.loads(body)["error"]["message"]
            raise Broken("DEMO_FAILED", f"The sandbox answered {response.status} to {response.url.path}: {said}")
        return body

    @property
    def _auth(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._key}"}


@asynccontextmanager
async def sandbox_control(base: str, api_key: str) -> AsyncIterator[SandboxControl]:
    """A control client for the length of the block."""
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        yield SandboxControl(session, base, api_key)

"""The control API straight into the door, without a socket."""

from typing import Any

import httpx

from payment_kit.sandbox import Sandbox


class Desk:
    """One sandbox in memory, asked through ASGI as `httpx.ASGITransport` does it; each call must succeed."""

    def __init__(self, sandbox: Sandbox | None = None) -> None:
        self.sandbox = sandbox or Sandbox()
        self.client = httpx.AsyncClient(
            transport=httpx.ASGITransport(self.sandbox.app),
            base_url="http://sandbox",
            headers={"Authorization": f"Bearer {self.sandbox.api_key}"},
        )

    async def post(self, path: str, **form: Any) -> Any:
        """Stripe's API."""
        return self._read(await self.client.post(f"/v1/{path}", data=form))

    async def get(self, path: str) -> Any:
        """Stripe's API."""
        return self._read(await self.client.get(f"/v1/{path}"))

    async def order(self, path: str, **body: Any) -> Any:
        """POST to the control API."""
        return self._read(await self.client.post(f"/_sandbox/{path}", json=body))

    async def read(self, path: str, **query: Any) -> Any:
        """GET from the control API."""
        return self._read(await self.client.get(f"/_sandbox/{path}", params=query))

    async def refused(self, path: str, status: int = 400, **body: Any) -> str:
        """The sentence with which the control API refuses."""
        answer = await self.client.post(f"/_sandbox/{path}", json=body)
        assert answer.status_code == status, answer.text
        return str(answer.json()["error"]["message"])

    def _read(self, answer: httpx.Response) -> Any:
        assert answer.status_code == 200, answer.text
        return answer.json()


async def pay(desk: Desk, card: str = "visa", **more: str) -> Any:
    """A payment intent, confirmed at once."""
    form = {"amount": "2000", "currency": "usd", "payment_method": f"pm_card_{card}", "confirm": "true"}
    return (
        await desk.client.post("/v1/payment_intents", data={**form, "allowed_payment_method_types[]": "card", **more})
    ).json()

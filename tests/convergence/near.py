"""A gateway to an account in this process: no socket, Stripe's clock, and moments in which something else happens."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from typing import Any, Literal

import stripe
from pydantic import SecretStr

from payment_kit.stripe_gateway import StripeGateway, failures
from payment_kit.stripe_gateway.gateway import Method, Page, Reply
from tests.convergence.account import Account
from tests.convergence.actors import point

When = Literal["asked", "answered"]
Meanwhile = Callable[[When, str], Awaitable[None]]


class NearGateway(StripeGateway):
    """As `StripeGateway`, down to the problems it raises.

    `meanwhile` is called when a request has left and before Stripe looks at it (``asked``), and when Stripe has looked
    and the answer is still on its way (``answered``): what it does there is what a slow network gives others time for.
    `refuse` may name an HTTP status for a request of a path, instead of an answer.
    """

    def __init__(self, account: Account) -> None:
        super().__init__(SecretStr(account.sandbox.api_key), base="http://127.0.0.1:9", retries=0)
        self.account = account
        self.meanwhile: Meanwhile | None = None
        self.refuse: Callable[[str, str], int | None] = lambda _method, _path: None
        self.read_at: dict[str, int] = {}
        self.requests = 0

    async def request(
        self,
        method: Method,
        path: str,
        params: Mapping[str, Any] | None = None,
        *,
        idempotency_key: str | None = None,
        account: str | None = None,
        bulk: bool = False,
        patience_seconds: float | None = None,
    ) -> Reply:
        """Ask once; what is refused is not asked again."""
        await point()
        began = self.account.now
        self.requests += 1
        if self.meanwhile:
            await self.meanwhile("asked", path)
        status = self.refuse(method, path)
        body: Any = {"error": {"message": "refused on purpose"}}
        headers: Mapping[str, str] = {}
        if status is None:
            asked = {"key": idempotency_key, "account": account}
            status, body, headers = await self.account.ask(method.upper(), path, params, **asked)
        if status >= 400:
            raise failures.problem(
                stripe.APIError("refused", http_status=status, json_body=body), write=method != "get"
            )
        self.read_at[headers["request-id"]] = self.account.truth.unit
        if self.meanwhile:
            await self.meanwhile("answered", path)
        replayed = headers.get("idempotent-replayed") == "true"
        # Stripe's Date is the second of the answer; minus what the request took, that is before the second it began in.
        return Reply(body, 0 if replayed else began - 1, headers["request-id"], replayed)

    def list(
        self,
        path: str,
        params: Mapping[str, Any] | None = None,
        *,
        account: str | None = None,
        bulk: bool = False,
        patience_seconds: float | None = None,
        ahead: int = 0,
    ) -> AsyncGenerator[Page, None]:
        """One page after the other: what is read ahead would come at another moment each time."""
        return super().list(path, params, account=account)

"""A shop for tests of checkout: a till that also sells, and customers who fill in its pages."""

import asyncio
from typing import Any

from tests.sandbox.billing.till import Till
from tests.sandbox.tools.desk import Desk

SUCCESS = "https://shop.test/thanks?session={CHECKOUT_SESSION_ID}"


class Shop(Till):
    """One sandbox, what is sold in it, and the visits to its pages."""

    def price(self, amount: int, currency: str = "usd", interval: str | None = None, **data: Any) -> str:
        """A price of its own product; recurring with an interval."""
        recurring = {} if interval is None else {"recurring": {"interval": interval}}
        wanted = {"product_data": {"name": "Tea"}, "currency": currency, "unit_amount": amount, **recurring, **data}
        return str(self.post("prices", **wanted)["id"])

    def session(self, *prices: str, mode: str = "payment", quantity: int = 1, **data: Any) -> dict[str, Any]:
        """An open session that sells these prices."""
        sold = {"line_items": [{"price": price, "quantity": quantity} for price in prices]} if prices else {}
        return self.post("checkout/sessions", **{"mode": mode, "success_url": SUCCESS, **sold, **data})

    def complete(self, session: dict[str, Any], **body: Any) -> dict[str, Any]:
        """The session after its customer confirmed."""
        self.visit(f"checkout/sessions/{session['id']}/complete", **body)
        return self.get(f"checkout/sessions/{session['id']}")

    def visit(self, path: str, **body: Any) -> dict[str, Any]:
        """What a customer does that succeeds."""
        return dict(asyncio.run(Desk(self.sandbox).order(path, **body)))

    def turned_away(self, path: str, status: int = 400, **body: Any) -> str:
        """What a customer does that fails."""
        return asyncio.run(Desk(self.sandbox).refused(path, status, **body))

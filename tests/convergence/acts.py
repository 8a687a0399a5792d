"""The table of everything that can happen in a business, with how often, and how one of them is done."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress

from payment_kit.sandbox.errors import ApiError
from payment_kit.sandbox.triggers import RECIPES
from tests.convergence import acts_billing as billing
from tests.convergence import acts_money as money
from tests.convergence.account import Account
from tests.convergence.shop import Shop

SECOND, HOUR, DAY = 1, 3600, 86_400
Act = Callable[[Shop], Awaitable[None]]


async def scene(shop: Shop) -> None:
    """One of the sandbox's own recipes, through objects of its own; not each works in whatever business it meets."""
    with suppress(ApiError):
        shop.trigger(shop.pick(sorted(RECIPES)))


async def second(shop: Shop) -> None:
    """One second passes: most acts share theirs with others."""
    shop.account.pass_time(SECOND)


async def hours(shop: Shop) -> None:
    """A few hours pass."""
    shop.account.pass_time(shop.number(1, 12) * HOUR)


async def days(shop: Shop) -> None:
    """Some days pass: money becomes available, payouts leave and arrive, periods end."""
    shop.account.pass_time(shop.number(1, 9) * DAY)


ACTS: Mapping[str, tuple[int, Act]] = {
    "new_customer": (6, money.new_customer),
    "edit_customer": (7, money.edit_customer),
    "drop_customer": (2, money.drop_customer),
    "passing_customer": (1, money.passing_customer),
    "credit": (2, money.credit),
    "tax_id": (3, money.tax_id),
    "card": (4, money.card),
    "pay": (8, money.pay),
    "draft_payment": (2, money.draft_payment),
    "capture": (3, money.capture),
    "refund": (6, money.refund),
    "edit_charge": (3, money.edit_charge),
    "dispute": (4, money.dispute),
    "setup": (3, money.setup),
    "payout": (4, money.payout),
    "topup": (2, money.topup),
    "connect": (3, money.connect),
    "transfer": (3, money.transfer),
    "business_elsewhere": (4, money.business_elsewhere),
    "product": (6, billing.product),
    "price": (3, billing.price),
    "coupon": (4, billing.coupon),
    "subscribe": (7, billing.subscribe),
    "change_subscription": (7, billing.change_subscription),
    "pause_or_end": (4, billing.pause_or_end),
    "bill": (6, billing.bill),
    "draft_lines": (4, billing.draft_lines),
    "invoice_item": (3, billing.invoice_item),
    "collect": (4, billing.collect),
    "checkout": (4, billing.checkout),
    "link": (2, billing.link),
    "quote": (3, billing.quote),
    "test_clock": (3, billing.test_clock),
    "meter": (1, billing.meter),
    "scene": (5, scene),
    "second": (14, second),
    "hours": (3, hours),
    "days": (5, days),
}
"""What happens by name, with its weight."""


async def act(account: Account, name: str, act_id: str) -> None:
    """Do one act; `act_id` decides everything it chooses."""
    await ACTS[name][1](Shop(account, act_id))

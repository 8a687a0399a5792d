"""A history from a seed: what happens in the business, and what happens to the mirror in between."""

import random
from collections.abc import Mapping
from dataclasses import dataclass

from tests.convergence.acts import ACTS

MOVES_MIN, MOVES_MAX = 16, 40
FIRST = ("new_customer", "new_customer", "product", "connect")
THEMES: Mapping[str, tuple[str, ...]] = {
    "shop": ("pay", "capture", "refund", "edit_charge", "dispute", "draft_payment", "setup", "checkout", "link"),
    "club": ("subscribe", "change_subscription", "pause_or_end", "invoice_item", "coupon", "test_clock", "quote"),
    "bills": ("bill", "draft_lines", "collect", "invoice_item", "credit", "coupon"),
    "people": ("edit_customer", "drop_customer", "passing_customer", "card", "tax_id", "credit", "setup"),
    "money": ("payout", "topup", "transfer", "connect", "business_elsewhere", "refund", "pay", "days"),
    "goods": ("product", "price", "coupon", "meter", "link", "quote"),
}
"""Rooms a history visits often, because depth needs repetition."""
TO_THE_MIRROR: Mapping[str, int] = {
    "deliver": 18,
    "work": 9,
    "crash_work": 4,
    "race": 5,
    "backfill": 2,
    "crash_backfill": 1,
    "catch_up": 2,
    "command": 4,
}


@dataclass(frozen=True, slots=True)
class Move:
    """One thing that happens; `id` decides all it chooses."""

    name: str
    id: str


def history(seed: int) -> list[Move]:
    """The same for the same seed."""
    draw = random.Random(seed)
    weights = {name: weight for name, (weight, _) in ACTS.items()}
    for theme in draw.sample(sorted(THEMES), k=2):
        weights |= {name: weights[name] * 4 for name in THEMES[theme]}
    noise = draw.uniform(0.4, 1.0) * sum(weights.values()) / sum(TO_THE_MIRROR.values())
    weights |= {name: round(weight * noise, 3) for name, weight in TO_THE_MIRROR.items()}  # type: ignore[misc]
    names = draw.choices(list(weights), list(weights.values()), k=draw.randint(MOVES_MIN, MOVES_MAX))
    return [Move(name, f"{seed}.{at}") for at, name in enumerate((*FIRST, *names))]

"""Businesses played: the same bytes for a seed, books that balance, months that fit into the memory."""

from collections import Counter
from dataclasses import replace
from hashlib import sha256

import orjson
import pytest

from payment_kit.sandbox import Sandbox
from payment_kit.sandbox.business import Business, Told, play, read
from payment_kit.sandbox.store import EVENTS_WINDOW_SECONDS

DAY = 86_400


def played(business: Business) -> tuple[Sandbox, Told]:
    sandbox = Sandbox(now=business.start - DAY)
    return sandbox, play(sandbox, business)


def digest(sandbox: Sandbox) -> str:
    tables = sandbox.store.tables.values()
    return sha256(b"".join(orjson.dumps(table.rows[id_]) for table in tables for id_ in table.order)).hexdigest()


@pytest.fixture(scope="module")
def club() -> tuple[Sandbox, Told]:
    return played(read("smoke"))


def test_the_same_business_gives_the_same_bytes(club: tuple[Sandbox, Told]) -> None:
    assert digest(played(read("smoke"))[0]) == digest(club[0])


def test_another_seed_gives_another_history(club: tuple[Sandbox, Told]) -> None:
    assert digest(played(replace(read("smoke"), seed=2))[0]) != digest(club[0])


def test_everything_that_may_happen_has_happened(club: tuple[Sandbox, Told]) -> None:
    sandbox, told = club
    statuses = Counter(row["status"] for row in sandbox.store.rows("subscription"))
    assert statuses.keys() >= {"active", "canceled"}
    assert {row["status"] for row in sandbox.store.rows("charge")} == {"succeeded", "failed"}
    assert {row["currency"] for row in sandbox.store.rows("charge")} == {"usd", "jpy", "kwd"}
    assert {"refund", "dispute", "payout", "invoice"} <= told.objects.keys()


def test_the_balance_is_the_sum_of_its_transactions_per_currency(club: tuple[Sandbox, Told]) -> None:
    store = club[0].store
    sums: Counter[tuple[str, str]] = Counter()
    for row in store.rows("balance_transaction"):
        sums[row["currency"], row["status"]] += row["net"]
    for currency in store.sums:
        assert store.balance(currency) == {part: sums[currency, part] for part in ("available", "pending")}


def test_events_are_forgotten_as_stripe_forgets_them(club: tuple[Sandbox, Told]) -> None:
    sandbox, told = club
    oldest = min(event["created"] for event in sandbox.store.rows("event"))
    assert told.now - EVENTS_WINDOW_SECONDS <= oldest <= told.now - EVENTS_WINDOW_SECONDS + 3 * DAY
    assert len(sandbox.store.tables["event"].keys) == told.objects["event"]


def test_progress_is_told_month_by_month() -> None:
    business = read("smoke")
    heard: list[tuple[int, int]] = []
    play(Sandbox(now=business.start), business, lambda done, of: heard.append((done, of)))
    assert heard == [(1, 3), (2, 3), (3, 3)]


def test_a_clock_that_is_past_the_start_is_refused() -> None:
    business = read("smoke")
    with pytest.raises(ValueError, match="after the business begins"):
        play(Sandbox(now=business.start + 1), business)

"""Holds the mirror against the sandbox's own truth: every object, field by field, and every event exactly once."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from psycopg import AsyncConnection
from psycopg.sql import SQL, Identifier

from payment_kit.cli.demo_stripe import SandboxControl
from payment_kit.database.connection import Pool
from payment_kit.database.queries import sql
from payment_kit.mirror.catalogue import CATALOGUE
from payment_kit.mirror.normalise import read_states
from payment_kit.mirror.stripe_object import StripeObject
from payment_kit.sandbox.scenario import Totals

DIFFERENCES_MAX = 5
ROWS = SQL("select id, raw, deleted_at is not null from stripe.{} where account_id = %s")
Objects = Mapping[str, tuple[Any, bool]]
"""Canonical object and whether it is deleted, by id."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """One kind of object: how many Stripe has, how many PostgreSQL has, how many are equal in every field."""

    table: str
    stripe: int
    mirror: int
    equal: int
    differences: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Nothing is missing, nothing is too much, nothing differs."""
        return self.stripe == self.mirror == self.equal


@dataclass(frozen=True, slots=True)
class Proof:
    """What was compared, and the counts that must be zero."""

    comparisons: tuple[Comparison, ...]
    acknowledged: int
    lost: int
    applied_twice: int
    duplicate_payments: int
    off_plan: tuple[str, ...] = field(default=())

    @property
    def ok(self) -> bool:
        """Every comparison holds, nothing was lost, doubled or off the plan."""
        counts = (self.lost, self.applied_twice, self.duplicate_payments, len(self.off_plan))
        return all(comparison.ok for comparison in self.comparisons) and not any(counts)


async def prove(
    sandbox: SandboxControl, pool: Pool, account_id: str, plan: Mapping[str, Totals], payments: int
) -> Proof:
    """Compares everything; `plan` and `payments` are what the played scenario must add up to."""
    comparisons = []
    truth: dict[str, list[dict[str, Any]]] = {}
    async with pool.connection() as connection:
        for entry in (entry for entry in CATALOGUE.values() if entry.at):
            truth[entry.name] = await sandbox.objects(entry.name)
            mirror = await _mirrored(connection, entry, account_id)
            comparisons.append(compare(entry.table, _canonical(entry, truth[entry.name]), mirror))
        items = await _payout_items(sandbox, truth["payout"])
        comparisons.append(compare("payout_balance_transactions", items, await _mirrored_items(connection, account_id)))
        events = {event["id"]: (_comparable(event), False) for event in await sandbox.objects("event")}
        stored = await _stored_events(connection, account_id)
        comparisons.append(compare("events", events, stored))
        twice = await _number(connection, "demo.applied_twice", account_id)
        inbox = await inbox_counts(connection, account_id)
    counts = (await sandbox.stats())["delivery"]
    acknowledged = counts["events"] - counts["dropped"] - counts["given_up"] - counts["waiting"]
    return Proof(
        comparisons=tuple(comparisons),
        acknowledged=acknowledged,
        lost=max(0, acknowledged - inbox["finished"]),
        applied_twice=twice,
        duplicate_payments=max(0, len(truth["payment_intent"]) - payments),
        off_plan=tuple(off_plan(plan, truth)),
    )


def compare(table: str, truth: Objects, mirror: Objects) -> Comparison:
    """Counts and the first few differences, each naming the object and its field."""
    differences = [f"{lonely}: only in {where}" for lonely, where in _lonely(truth, mirror)]
    equal = 0
    for both in truth.keys() & mirror.keys():
        if truth[both] == mirror[both]:
            equal += 1
        else:
            differences.append(f"{both}: {_difference(*truth[both], *mirror[both])}")
    return Comparison(table, len(truth), len(mirror), equal, tuple(sorted(differences)[:DIFFERENCES_MAX]))


def off_plan(plan: Mapping[str, Totals], truth: Mapping[str, Iterable[Mapping[str, Any]]]) -> list[str]:
    """Where Stripe's objects do not add up to the plan, per currency."""
    paid, paid_count, refunded = Counter[str](), Counter[str](), Counter[str]()
    for charge in truth["charge"]:
        if charge["status"] == "succeeded":
            paid[charge["currency"]] += charge["amount"]
            paid_count[charge["currency"]] += 1
    for refund in truth["refund"]:
        refunded[refund["currency"]] += refund["amount"]
    found = []
    for currency, totals in plan.items():
        for what, planned, seen in (
            ("payments", totals.paid_count, paid_count[currency]),
            ("paid", totals.paid, paid[currency]),
            ("refunded", totals.refunded, refunded[currency]),
        ):
            if planned != seen:
                found.append(f"{currency} {what}: {seen} instead of {planned}")
    return found


async def inbox_counts(connection: AsyncConnection[Any], account_id: str) -> dict[str, int]:
    """stored, deliveries, finished, waiting and dead events."""
    cursor = await connection.execute(sql("demo.inbox"), {"account_id": account_id})
    row = await cursor.fetchone()
    assert row is not None
    return dict(zip(("stored", "deliveries", "finished", "waiting", "dead"), row, strict=True))


async def _number(connection: AsyncConnection[Any], query: str, account_id: str) -> int:
    row = await (await connection.execute(sql(query), {"account_id": account_id})).fetchone()
    assert row is not None
    return int(row[0])


async def _mirrored(connection: AsyncConnection[Any], entry: StripeObject, account_id: str) -> Objects:
    cursor = await connection.execute(ROWS.format(Identifier(entry.table)), (account_id,))
    return {key: (None if deleted else raw, deleted) async for key, raw, deleted in cursor}


async def _stored_events(connection: AsyncConnection[Any], account_id: str) -> Objects:
    cursor = await connection.execute(sql("demo.events"), {"account_id": account_id})
    return {key: (_comparable(orjson.loads(body)), False) async for key, body in cursor}


async def _payout_items(sandbox: SandboxControl, payouts: Iterable[Mapping[str, Any]]) -> Objects:
    """Which transactions each payout pays out, for the payouts Stripe has itemised by now."""
    itemised = {row["id"] for row in payouts if row["reconciliation_status"] == "completed"}
    rows = [row for row in await sandbox.objects("payout_items") if row["payout"] in itemised]
    return {f"{row['payout']} {row['balance_transaction']}": ({}, False) for row in rows}


async def _mirrored_items(connection: AsyncConnection[Any], account_id: str) -> Objects:
    cursor = await connection.execute(sql("demo.payout_items"), {"account_id": account_id})
    return {f"{payout} {transaction}": ({}, False) async for payout, transaction in cursor}


def _canonical(entry: StripeObject, truth: Iterable[Mapping[str, Any]]) -> Objects:
    """The sandbox's objects as the mirror would write them.

    A guest's payment method is left out: Stripe neither lists it nor sends an event about it.
    """
    shown = (row for row in truth if entry.name != "payment_method" or row.get("customer"))
    found = {}
    for row in shown:
        state = read_states([row], time=0, request_id="", api_version=None)[0]
        found[state.id] = (None, True) if state.deleted else (state.raw, False)
    return found


def _comparable(event: Mapping[str, Any]) -> dict[str, Any]:
    """An event without the field that changes while it is being delivered."""
    return {key: value for key, value in event.items() if key != "pending_webhooks"}


def _lonely(truth: Objects, mirror: Objects) -> list[tuple[str, str]]:
    missing = [(key, "Stripe") for key in truth.keys() - mirror.keys()]
    return missing + [(key, "PostgreSQL") for key in mirror.keys() - truth.keys()]


def _difference(truth: Any, truth_deleted: bool, mirror: Any, mirror_deleted: bool) -> str:
    if truth_deleted != mirror_deleted:
        return f"deleted in {'Stripe' if truth_deleted else 'PostgreSQL'} only"
    fields = sorted(key for key in truth.keys() | mirror.keys() if truth.get(key) != mirror.get(key))
    return f"{', '.join(fields)} (Stripe {truth.get(fields[0])!r}, PostgreSQL {mirror.get(fields[0])!r})"[:300]

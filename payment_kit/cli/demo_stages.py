"""The stages of the demo before its report: database, sandbox, service, business, webhooks, settlement, proof."""

import asyncio
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from random import Random
from typing import Any

from psycopg import Connection
from psycopg.sql import SQL, Identifier

from payment_kit import lease, wiring
from payment_kit.cli.demo_business import Business, Played
from payment_kit.cli.demo_proof import Proof, inbox_counts, prove
from payment_kit.cli.demo_serve import Serve, serving
from payment_kit.cli.demo_stripe import SandboxControl, sandbox_control
from payment_kit.cli.screen import Report, Screen
from payment_kit.config import Settings
from payment_kit.database.connection import Pool, connect, open_pool
from payment_kit.database.migrations import migrate
from payment_kit.database.queries import sql
from payment_kit.errors import UsageProblem, first_problem
from payment_kit.mirror.accounts import Account, identify
from payment_kit.mirror.catch_up import catch_up
from payment_kit.mirror.settlement import pull_settlement
from payment_kit.sandbox.scenario import Scenario, actions, scenario
from payment_kit.sandbox.scenario.calendar import DAY, midnight
from payment_kit.sandbox_process import SandboxFiles, in_use
from payment_kit.stripe_gateway.gateway import StripeGateway

DAYS_AFTER = 6
"""Days the clock runs on after the quarter, so that its last payouts arrive."""
DRAIN_SECONDS = 180.0
DRAIN_POLL_SECONDS = 0.1
POOL_CONNECTIONS = 6
KILL_WITHIN_SECONDS = 0.03


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line asked for; shares are 0..1."""

    seed: int
    payments: int
    kills: int
    drop: float
    duplicate: float
    delay: float
    reorder: float


@dataclass(frozen=True, slots=True)
class Stage:
    """Where the demo plays: an emptied database and a sandbox process of its own."""

    settings: Settings
    options: Options
    screen: Screen
    dsn: str
    stripe: wiring.StripeAccess


def open_stage(stack: ExitStack, settings: Settings, options: Options, screen: Screen) -> Stage:
    """Database and sandbox, both empty of an earlier demo; raises `Problem` before touching what is not its own."""
    files = SandboxFiles(settings.home.resolve())
    if files.users.exists() and not lease.unused(files.users):
        raise in_use(files)
    screen.title("payment-kit demo: three months of a shop and a SaaS, from the card to the books")
    with screen.progress("PostgreSQL", "") as report:
        report(0, 0, "starting")
        dsn = stack.enter_context(wiring.database(settings, migrated=False))
        with connect(dsn) as connection:
            version = _empty(connection, dsn)
    where = "private server" if settings.database_url is None else "your server"
    screen.done(f"PostgreSQL {version}", f"{where}, schema up to date, earlier demo data removed")
    with screen.progress("Sandbox", "") as report:
        report(0, 0, "starting")
        stripe = stack.enter_context(wiring.stripe(settings))
    return Stage(settings, options, screen, dsn, stripe)


async def play(stage: Stage) -> dict[str, Any]:
    """Plays the business, waits for the mirror and proves it; the summary's ``ok`` says whether all of it holds."""
    options, screen = stage.options, stage.screen
    plan = scenario(options.seed, options.payments)
    async with sandbox_control(stage.stripe.base, stage.stripe.api_key.get_secret_value()) as sandbox:
        await sandbox.reset(options.seed, midnight(plan.start))
        await sandbox.plan_deliveries(_faults(options))
        account_id = (await sandbox.stats())["account"]
        screen.done("Stripe sandbox", f"{account_id} at {stage.stripe.base}, its clock at {plan.start:%-d %B %Y}")
        async with serving(stage.settings.home.resolve(), _environment(stage.settings)) as serve:
            screen.done(
                "payment-kit serve",
                f"gRPC on 127.0.0.1:{serve.grpc_port}, webhooks on 127.0.0.1:{serve.webhook_port}",
            )
            played, seconds = await _business(stage, plan, sandbox, serve)
            async with await open_pool(stage.dsn, max_size=POOL_CONNECTIONS, name="payment-kit demo") as pool:
                delivered = await _webhooks(stage, sandbox, pool, account_id, serve)
                async with wiring.open_gateway(stage.settings, stage.stripe) as gateway:
                    account = await identify(gateway, pool)
                    await _settle(stage, pool, gateway, account)
                    proof = await prove(sandbox, pool, account.id, plan.totals, options.payments)
                    _show_proof(screen, proof, serve.kills, healed=options.drop == 0)
                    if options.drop == 0:
                        await _catch_up(stage, pool, gateway, account)
    return _summary(options, played, seconds, delivered, proof, serve.kills) | {"seconds": round(screen.seconds, 1)}


async def keep_serving(stage: Stage) -> None:
    """Serves on the configured ports until Ctrl-C."""
    ports = (stage.settings.port, stage.settings.webhook_port)
    async with serving(stage.settings.home.resolve(), _environment(stage.settings), ports) as serve:
        stage.screen.done("Serving until Ctrl-C", f"gRPC on 127.0.0.1:{serve.grpc_port}")
        await serve.ended()


# ---- the stages -----------------------------------------------------------------------------------------------------


def _empty(connection: Connection[Any], dsn: str) -> str:
    """Migrates the database and empties it of an earlier demo; answers the server's version."""
    ledger = connection.execute("select to_regclass('payment_kit.accounts')").fetchone()
    if ledger and ledger[0]:
        others = connection.execute(sql("demo.other_accounts"), {}).fetchall()
        if others:
            raise UsageProblem("DATABASE_HAS_OTHER_DATA", f"The database holds the data of {others[0][0]}.")
    migrate(dsn)
    tables = [Identifier(schema, name) for schema, name in connection.execute(sql("demo.tables"), {}).fetchall()]
    with connection.transaction():
        connection.execute("set local payment_kit.may_change_history = 'yes'")
        connection.execute(SQL("truncate {}").format(SQL(", ").join(tables)))
    return str(connection.info.parameter_status("server_version")).split(" ")[0]


def _faults(options: Options) -> dict[str, float]:
    faults = {"drop": options.drop, "duplicate": options.duplicate, "delay": options.delay, "reorder": options.reorder}
    return {**faults, "seed": options.seed}


def _environment(settings: Settings) -> Mapping[str, str]:
    """What the child needs to find the same database and sandbox."""
    return os.environ | {"PAYMENT_KIT_HOME": str(settings.home.resolve())}


async def _business(stage: Stage, plan: Scenario, sandbox: SandboxControl, serve: Serve) -> tuple[Played, float]:
    options, screen = stage.options, stage.screen
    business = Business(f"127.0.0.1:{serve.grpc_port}", sandbox, seed=options.seed)
    kills = Kills(plan, options, serve, business)
    started = time.monotonic()
    with screen.progress("Business", "payments") as report:
        try:
            played = await business.play(plan, report, kills.launched)
        except ExceptionGroup as group:
            raise first_problem(group) from None
        for day in range(1, DAYS_AFTER + 1):
            await sandbox.advance(midnight(plan.end) + day * DAY)
    seconds = time.monotonic() - started
    text = f"{options.payments:,} payments, {played.declined:,} declined tries, refunds, disputes, payouts"
    screen.done(text, f"{played.calls:,} gRPC calls in {seconds:.0f} s")
    if serve.kills:
        screen.done(f"{serve.kills} SIGKILLs", f"{sum(kills.caught)} calls were in flight, {played.repeats} repeated")
    for surprise in played.surprises[:5]:
        screen.fail(surprise)
    return played, seconds


class Kills:
    """Sends the planned SIGKILLs: at seeded steps, and only while the service is up and calls are in flight."""

    def __init__(self, plan: Scenario, options: Options, serve: Serve, business: Business) -> None:
        self._random = Random(f"kills {options.seed}")  # noqa: S311  # repeatable on purpose
        paying = [number for number, step in enumerate(plan.steps) if isinstance(step.action, actions.Pay)]
        early = paying[len(paying) // 20 : len(paying) * 17 // 20]
        self._moments = set(self._random.sample(early, options.kills))
        self._serve = serve
        self._business = business
        self._owed = 0
        self.caught: list[int] = []

    async def launched(self, number: int) -> None:
        """A step was started; kill if one is owed. Raises `Problem` when the service could not be started again."""
        if self._serve.failure is not None:
            raise self._serve.failure
        self._owed += number in self._moments
        if self._owed and self._serve.running and self._business.in_flight:
            await asyncio.sleep(self._random.uniform(0, KILL_WITHIN_SECONDS))
            if self._business.in_flight and self._serve.running:
                self.caught.append(self._business.in_flight)
                self._serve.kill()
                self._owed -= 1


async def _webhooks(stage: Stage, sandbox: SandboxControl, pool: Pool, account: str, serve: Serve) -> dict[str, int]:
    """Waits until every webhook is delivered and applied, and says what happened to them."""
    with stage.screen.progress("Webhooks", "applied") as report:
        await sandbox.flush(DRAIN_SECONDS)
        inbox = await _drained(pool, account, report, serve)
    sent = (await sandbox.stats())["delivery"]
    stage.screen.done(f"{sent['events']:,} webhooks", deliveries(sent))
    text = (
        f"{sent['acknowledged']:,} acknowledged, {inbox['stored']:,} different events, {inbox['finished']:,} processed"
    )
    stage.screen.result(inbox["waiting"] == inbox["dead"] == sent["waiting"] == 0, text, _stuck(inbox, sent))
    return {**{f"webhooks_{name}": count for name, count in sent.items()}, **inbox}


def deliveries(sent: Mapping[str, int]) -> str:
    """How events became deliveries, as a sum a reader can follow."""
    parts = [f"{sent['events']:,}", f"+ {sent['duplicated']:,} sent twice", f"− {sent['dropped']:,} dropped"]
    rest = sent["sent"] - sent["events"] - sent["duplicated"] + sent["dropped"]
    if rest:
        parts.append(f"+ {rest:,} repeated" if rest > 0 else f"− {-rest:,} not sent")
    return f"{' '.join(parts)} = {sent['sent']:,} sent, {sent['delayed']:,} late, {sent['reordered']:,} out of order"


async def _drained(pool: Pool, account: str, report: Report, serve: Serve) -> dict[str, int]:
    """The inbox when nothing waits in it any more, or after three minutes."""
    deadline = time.monotonic() + DRAIN_SECONDS
    while True:
        if serve.failure is not None:
            raise serve.failure
        async with pool.connection() as connection:
            inbox = await inbox_counts(connection, account)
        report(inbox["finished"], inbox["stored"], "")
        if not inbox["waiting"] or time.monotonic() > deadline:
            return inbox
        await asyncio.sleep(DRAIN_POLL_SECONDS)


def _stuck(inbox: Mapping[str, int], sent: Mapping[str, int]) -> str:
    parts = {"waiting": inbox["waiting"], "given up": inbox["dead"], "undelivered": sent["waiting"]}
    return ", ".join(f"{count:,} {name}" for name, count in parts.items() if count)


async def _settle(stage: Stage, pool: Pool, gateway: StripeGateway, account: Account) -> None:
    """Pulls what has no webhook: balance transactions, and what each payout pays out."""
    with stage.screen.progress("Settlement", "objects") as report:
        report(0, 0, "balance transactions and payout items")
        pulled = await pull_settlement(gateway, pool, account)
    stage.screen.done(f"{pulled.transactions:,} balance transactions pulled", f"{pulled.payouts:,} payouts itemised")


async def _catch_up(stage: Stage, pool: Pool, gateway: StripeGateway, account: Account) -> None:
    """Reads Stripe's own lists against the mirror, so that the books may say they are complete."""
    with stage.screen.progress("Catch-up", "events") as report:
        found = await catch_up(gateway, pool, account, seen_so_far=lambda seen: report(seen, 0, ""))
    stage.screen.result(
        found.missing == 0,
        "Stripe's lists read against the mirror",
        f"{found.seen:,} events, {found.missing:,} missing",
    )


def _show_proof(screen: Screen, proof: Proof, kills: int, *, healed: bool) -> None:
    used = [one for one in proof.comparisons if one.stripe or one.mirror]
    rows = [[one.table, f"{one.stripe:,}", f"{one.mirror:,}", f"{one.equal:,}"] for one in used]
    total = sum(one.equal for one in proof.comparisons)
    holds = all(one.ok for one in proof.comparisons)
    if holds:
        screen.done(f"Stripe and PostgreSQL agree on {total:,} objects, field by field")
    elif healed:
        screen.fail("Stripe and PostgreSQL differ")
    else:
        screen.warn("Stripe and PostgreSQL differ, as webhooks were dropped", "heal with `payment-kit sync catch-up`")
    screen.table(["", "Stripe", "PostgreSQL", "equal"], rows)
    for line in _worth_seeing(proof, healed):
        screen.note(line)
    counts = (
        f"{proof.lost} acknowledged events lost, {proof.applied_twice} applied twice, "
        f"{proof.duplicate_payments} duplicate payments"
    )
    ok = not (proof.lost or proof.applied_twice or proof.duplicate_payments or proof.off_plan)
    screen.result(
        ok, f"{kills} SIGKILLs, {counts}" if kills else counts, "the sums are those of the plan" if ok else ""
    )
    for line in proof.off_plan:
        screen.fail(line)


def _worth_seeing(proof: Proof, healed: bool) -> Iterator[str]:
    for one in proof.comparisons:
        yield from (f"{one.table} {line}" for line in one.differences[: 5 if healed else 0])


def _summary(
    options: Options, played: Played, seconds: float, delivered: Mapping[str, int], proof: Proof, kills: int
) -> dict[str, Any]:
    return {
        "ok": proof.ok and not played.surprises and kills == options.kills,
        "options": asdict(options),
        "business": asdict(played) | {"seconds": round(seconds, 1)},
        "webhooks": dict(delivered),
        "kills": kills,
        "proof": asdict(proof),
    }

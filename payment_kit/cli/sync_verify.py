"""`payment-kit sync verify`, `repair`, `reproject`: prove the mirror, put it right, rebuild it from what is stored."""

import asyncio
import secrets
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import orjson

from payment_kit import config, wiring
from payment_kit.cli.screen import Report as Advance
from payment_kit.cli.screen import Screen
from payment_kit.errors import UsageProblem
from payment_kit.mirror.accounts import connected
from payment_kit.mirror.catalogue import CATALOGUE
from payment_kit.mirror.compare import WHAT, Difference
from payment_kit.mirror.evidence import Sample
from payment_kit.mirror.repair import ACTIONS, plan, repair
from payment_kit.mirror.reproject import Reprojected, reproject
from payment_kit.mirror.verification import AccountResult, Report, differences_of, joined
from payment_kit.mirror.verify import PATIENCE_SECONDS, verify

SHOWN_MAX = 20
FILE = "verify.json"

_json = click.option("--json", "as_json", is_flag=True, help="The result as JSON on stdout.")
_account = click.option("--account", metavar="acct_…", help="Only this account. [default: all the keys reach]")
_patience = click.option(
    "--patience",
    type=click.FloatRange(min=0),
    default=PATIENCE_SECONDS,
    show_default=True,
    help="Seconds an event may be on its way to us before it counts as missed.",
)


@click.command("verify")
@_account
@click.option("--object", "objects", type=click.Choice(list(CATALOGUE)), multiple=True, help="Only this; repeatable.")
@click.option("--sample", type=click.FloatRange(0, 1, min_open=True), help="Compare the fields of only this share.")
@click.option("--seed", type=int, default=0, show_default=True, help="Which objects the sample takes.")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="Write the report to this file.")
@_patience
@_json
def verify_command(
    *,
    account: str | None,
    objects: tuple[str, ...],
    sample: float | None,
    seed: int,
    output: Path | None,
    patience: float,
    as_json: bool,
) -> int:
    """Compare the mirror with Stripe: every object, every field, every event of the last 29 days.

    Says COMPLETE, PENDING (something is not there yet) or DIFFERENT, and writes a report that a third party can check
    (docs/verify-report.md); `payment-kit run reconcile/mirror` shows it. Exit code: 0 COMPLETE, 1 not, 2 it could not
    run.
    """
    taken = Sample(sample, seed) if sample is not None and sample < 1 else None
    screen = Screen(to_stderr=as_json)

    async def run() -> tuple[Report, Path]:
        settings = config.load()
        async with wiring.installation(settings) as kit:
            report = await _verified(kit, screen, account, objects, taken, patience)
        return report, _write(report, output, settings.home)

    report, path = wiring.run(run())
    _show(screen, report, path)
    if as_json:
        click.echo(orjson.dumps(report.as_json()))
    return 0 if report.verdict == "COMPLETE" else 1


@click.command("repair")
@_account
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@click.option(
    "--report", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Repair what this report names."
)
@_patience
@_json
def repair_command(*, account: str | None, dry_run: bool, report: Path | None, patience: float, as_json: bool) -> int:
    """Write Stripe's state over whatever a verification found wrong, fetch what never came, and verify again.

    Exit code: 0 the second verification says COMPLETE (with --dry-run: there is nothing to repair), 1 not, 2 it could
    not run.
    """
    screen = Screen(to_stderr=as_json)

    async def run() -> tuple[dict[str, Any], bool]:
        settings = config.load()
        async with wiring.installation(settings) as kit:
            found = await _wrong(kit, screen, account, report, patience)
            planned = {one: plan(these) for one, these in found.items() if these}
            _show_plan(screen, planned, done=not dry_run)
            if dry_run:
                return {"plan": planned, "actions": ACTIONS}, not planned
            done = await _repaired(kit, found)
            after = await _verified(kit, screen, account, (), None, patience)
        path = _write(after, None, settings.home)
        _show(screen, after, path)
        return {"plan": planned, "done": done, "after": after.as_json()}, after.verdict == "COMPLETE"

    result, good = wiring.run(run())
    if as_json:
        click.echo(orjson.dumps(result))
    return 0 if good else 1


@click.command("reproject")
@click.option("--object", "objects", type=click.Choice(list(CATALOGUE)), multiple=True, help="Only this; repeatable.")
@_json
def reproject_command(*, objects: tuple[str, ...], as_json: bool) -> int:
    """Rebuild typed columns, digests and child tables from stored payloads, without asking Stripe for any object.

    Events that no table held when they came are applied now. Only rows that are not what their payload says are
    written; safe to break off and to repeat. Exit code: 0 done, 1 a stored payload cannot be read.
    """

    async def run() -> Reprojected:
        async with wiring.installation(config.load()) as kit:
            total = Reprojected()
            for platform in kit.platforms:
                accounts = [platform.account, *await connected(kit.pool, platform.account)]
                ids = [one.id for one in accounts]
                one = await reproject(kit.pool, platform.account.id, ids, objects=objects or None)
                for name, count in one.rows.items():
                    total.add(name, count)
                total.events += one.events
                total.unreadable += one.unreadable
            return total

    done = wiring.run(run())
    if as_json:
        click.echo(orjson.dumps(done))
    else:
        screen = Screen()
        screen.done(f"{sum(done.rows.values()):,} rows rebuilt", f"{done.events:,} events applied that had no table")
        screen.table(["", "rebuilt"], [[name, f"{count:,}"] for name, count in sorted(done.rows.items())])
        if done.unreadable:
            screen.fail(
                f"{done.unreadable:,} rows hold JSON that the columns cannot; `payment-kit sync repair` reads them"
            )
    return 1 if done.unreadable else 0


# ---- work -----------------------------------------------------------------------------------------------------------


async def _verified(
    kit: wiring.Installation,
    screen: Screen,
    account: str | None,
    objects: Sequence[str],
    sample: Sample | None,
    patience: float,
) -> Report:
    """One report of every key; raises `UsageProblem` ACCOUNT_UNKNOWN when none reaches `account`."""
    with screen.progress("Verify", "objects") as advance:
        tell = _counting(advance)
        reports = [
            await verify(
                platform.gateway,
                kit.pool,
                platform.account,
                only=account,
                objects=objects or None,
                sample=sample,
                patience_seconds=patience,
                tell=tell,
            )
            for platform in kit.platforms
        ]
    report = joined(reports)
    if not report.accounts:
        raise UsageProblem("ACCOUNT_UNKNOWN", f"No key of STRIPE_API_KEY is known to reach {account}.")
    return report


async def _wrong(
    kit: wiring.Installation, screen: Screen, account: str | None, path: Path | None, patience: float
) -> Mapping[str, Sequence[Difference]]:
    """What is to be repaired, by account: what a report names, or what a fresh verification finds."""
    if path is None:
        fresh = await _verified(kit, screen, account, (), None, patience)
        return {one.account: one.differences for one in fresh.accounts}
    try:
        found = differences_of(orjson.loads(await asyncio.to_thread(path.read_bytes)))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UsageProblem("PARAMETER_INVALID", f"{path} is no report of `sync verify`.", field="report") from None
    return {name: these for name, these in found.items() if account in (None, name)}


async def _repaired(kit: wiring.Installation, found: Mapping[str, Sequence[Difference]]) -> dict[str, int]:
    done: Counter[str] = Counter()
    for platform in kit.platforms:
        reached = {platform.account.id, *(one.id for one in await connected(kit.pool, platform.account))}
        mine = {name: these for name, these in found.items() if name in reached}
        done.update(await repair(platform.gateway, kit.pool, platform.account, mine))
    return dict(done)


def _write(report: Report, output: Path | None, home: Path) -> Path:
    """Put the report where it was asked for, or among the installation's runs, where `latest` points to the newest."""
    text = orjson.dumps(report.as_json(), option=orjson.OPT_INDENT_2) + b"\n"
    if output is not None:
        try:
            output.write_bytes(text)
        except OSError as error:
            raise UsageProblem("PARAMETER_INVALID", f"--output {output}: {error.strerror}.", field="output") from None
        return output
    folder = home.resolve() / "runs" / "verify" / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
    folder.mkdir(parents=True)
    (folder / FILE).write_bytes(text)
    fresh = folder.with_name(f".latest-{folder.name}")
    fresh.symlink_to(folder.name, target_is_directory=True)
    fresh.replace(folder.with_name("latest"))
    return folder / FILE


def _counting(advance: Advance) -> Callable[[str, int], None]:
    total = 0

    def tell(what: str, objects: int) -> None:
        nonlocal total
        total += objects
        advance(total, 0, what)

    return tell


# ---- for people -----------------------------------------------------------------------------------------------------


def _show(screen: Screen, report: Report, path: Path) -> None:
    for one in report.accounts:
        objects = sum(side.count for kind in one.kinds.values() for side in kind.stripe.values())
        detail = f"{objects:,} objects and {one.events:,} events compared"
        shown = {"COMPLETE": screen.done, "DIFFERENT": screen.fail}.get(one.verdict, screen.warn)
        shown(f"{one.account}: {one.verdict}", detail)
        if one.refused:
            screen.note(f"Stripe shows nothing of it to this key ({one.refused}); it has left, or access was revoked.")
        for words in one.pending:
            screen.note(words)
        _show_differences(screen, one)
    screen.note(f"report: {path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path}")


def _show_differences(screen: Screen, one: AccountResult) -> None:
    for this in one.differences[:SHOWN_MAX]:
        fields = f" ({', '.join(this.fields)})" if this.fields else ""
        screen.note(f"{this.object} {this.id}: {WHAT[this.what]}{fields}")
    if one.found > SHOWN_MAX:
        screen.note(f"… and {one.found - SHOWN_MAX:,} more; the report names them.")


def _show_plan(screen: Screen, planned: Mapping[str, Mapping[str, Mapping[str, int]]], *, done: bool) -> None:
    if not planned:
        screen.done("Nothing to repair")
    for account, kinds in planned.items():
        screen.warn(f"{account}: {'repairing' if done else 'a repair would'}")
        rows = [
            [kind, ACTIONS[action], f"{count:,}"] for kind, found in kinds.items() for action, count in found.items()
        ]
        screen.table(["", "", "objects"], rows, left=2)

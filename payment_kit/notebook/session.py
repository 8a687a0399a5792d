"""`params` reads what the analyst set; `connect` opens the books by name: no address, no password, in any cell."""

import atexit
import os
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from payment_kit import config
from payment_kit.database.embedded import embedded
from payment_kit.errors import UsageProblem
from payment_kit.finance import Period, parse_period
from payment_kit.warehouse import Books, open_books


@dataclass(frozen=True, slots=True)
class Scope:
    """What a run is about: the period, one currency or every one (``""``), one account or the only one (``""``)."""

    period: Period
    currency: str = ""
    account: str = ""


def params(period: str, currency: str = "", account: str = "") -> Scope:
    """The parameters, checked; raises `UsageProblem` PARAMETER_INVALID naming the one that is wrong."""
    if currency and not re.fullmatch("[a-z]{3}", currency):
        raise UsageProblem("PARAMETER_INVALID", "currency: write three lower-case letters, like usd.", field="currency")
    if account and not re.fullmatch("acct_[A-Za-z0-9]+", account):
        raise UsageProblem("PARAMETER_INVALID", "account: write an id that starts with acct_.", field="account")
    return Scope(parse_period(period), currency, account)


def connect(account: str = "") -> Books:
    """The books as they stand now: of DATABASE_URL if set, else of the embedded PostgreSQL under PAYMENT_KIT_HOME.

    Everything is read in one snapshot; afterwards PostgreSQL is no longer needed. Raises `Problem` as `open_books`
    does, and NO_DATA when there is no database yet.
    """
    settings = config.load()
    stack = ExitStack()
    with _database(settings) as dsn:
        books = stack.enter_context(open_books(dsn, account or settings.account or ""))
    atexit.register(stack.close)
    return books


@contextmanager
def _database(settings: config.Settings) -> Iterator[str]:
    if settings.database_url is not None:
        yield settings.database_url.get_secret_value()
        return
    if not any(settings.home.glob("postgres*")):
        raise UsageProblem("NO_DATA", "DATABASE_URL is not set and there is no embedded database yet.")
    with embedded(settings.home, binaries=settings.postgres_bin) as dsn:
        yield dsn


def place(folder: Path) -> str:
    """Where a reader finds `folder` of this installation, without the machine's own path."""
    folder = folder.with_name(folder.name.removeprefix(".")).resolve()  # a run's loses its dot when it is complete
    for base, shown in ((config.project_folder(), ""), (config.load().home, "$PAYMENT_KIT_HOME/")):
        if folder.is_relative_to(base.resolve()):
            return f"{shown}{folder.relative_to(base.resolve()).as_posix()}"
    return folder.name


def run_folder(notebook: str, period: str) -> Path:
    """Where this run's files go: given by the runner, else ``runs/<notebook>/<period>/lab`` under PAYMENT_KIT_HOME."""
    given = os.environ.get("PAYMENT_KIT_RUN_FOLDER")
    folder = Path(given) if given else config.load().home / "runs" / notebook / period / "lab"
    folder.mkdir(parents=True, exist_ok=True)
    return folder

"""Who is compared, and how each is driven: by its own functions, handlers and commands, with its defaults.

Nobody is held back: limits of requests per second, which protect Stripe, are lifted for everybody who has one.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.peers.installed import DJANGO, Installed
from benchmarks.peers.recording import COMPARED
from payment_kit import config
from payment_kit.addresses import bound
from tests import node

API_KEY = "sk_test_" + "0" * 24
SECRET = "whsec_peers"
SYNC_WORKERS = 50
"""The default of @stripe/sync-engine's command line."""
GUNICORN = ("--workers", "4", "--threads", "4", "--worker-class", "gthread", "--backlog", "2048")
UNLIMITED = "10000"
"""The most our settings take; more requests per second than anybody here sends."""


@dataclass(frozen=True, slots=True)
class Command:
    """A program with its arguments, settings and folder."""

    words: Sequence[str]
    settings: Mapping[str, str]
    folder: Path


@dataclass(frozen=True, slots=True)
class Place:
    """Where a contender works: its database, the fake Stripe, its environment, a folder of its own."""

    dsn: str
    stripe: str
    installed: Installed
    folder: Path


@dataclass(frozen=True, slots=True)
class Contender:
    """How one program is driven, where its rows are, and what to know about it.

    `serve` gives one command or several; the first receives webhooks at `path` and prints a line of JSON with its port.
    `rows` maps a kind to the SQL of its ids and status, `waiting` counts what was acknowledged and is not applied
    yet, reads that are owed included. `copies_max` bounds what a slow one is given.
    """

    name: str
    migrate: Callable[[Place], Sequence[Command]]
    backfill: Callable[[Place], Command]
    receive: Callable[[Place], Sequence[Command]]
    apply: Callable[[Place], Sequence[Command]] | None
    rows: Mapping[str, str]
    path: str
    copies_max: int
    waiting: str = ""
    port_field: str = "port"
    notes: Sequence[str] = ()


# ---- payment_kit ----------------------------------------------------------------------------------------------------


def _ours(place: Place, *words: str) -> Command:
    settings = {
        "DATABASE_URL": place.dsn,
        "STRIPE_API_KEY": API_KEY,
        "STRIPE_API_BASE": place.stripe,
        "STRIPE_WEBHOOK_SECRET": SECRET,
        "PAYMENT_KIT_HOME": str(place.folder),
        "PAYMENT_KIT_WEBHOOK_PORT": "0",
        "PORT": "0",
    }
    limits = ("PAYMENT_KIT_STRIPE_REQUESTS_PER_SECOND", "PAYMENT_KIT_STRIPE_ENDPOINT_REQUESTS_PER_SECOND")
    settings |= {name: UNLIMITED for name in limits if name in config.names().values()}
    return Command([sys.executable, "-m", "payment_kit", *words], settings, place.folder)


def _our_backfill(place: Place) -> Command:
    return _ours(place, "sync", "backfill", "--json", *(word for kind in COMPARED for word in ("--object", kind)))


def _our_receivers(place: Place, number: int) -> list[Command]:
    """So many processes at one port, among which the kernel spreads the connections."""
    with bound("127.0.0.1", 0) as free:
        port = free.getsockname()[1]
    words = ("serve", "--only", "webhooks", "--webhook-port", str(port), "--ready-json", "--log-level", "error")
    one = _ours(place, *words)
    return [replace(one, settings={**one.settings, "PAYMENT_KIT_SHARE_PORTS": "true"})] * number


def _our_worker(place: Place) -> Command:
    return _ours(place, "serve", "--only", "worker", "--no-catch-up", "--ready-json", "--log-level", "error")


OURS = Contender(
    name="payment_kit",
    migrate=lambda place: [_ours(place, "migrate")],
    backfill=_our_backfill,
    receive=lambda place: _our_receivers(place, 2),
    apply=lambda place: [*_our_receivers(place, 1), _our_worker(place)],
    rows={kind: f"select id, raw->>'status' from stripe.{kind}s where deleted_at is null" for kind in COMPARED},
    path="/webhooks/stripe",
    copies_max=10**6,
    waiting="select (select count(*) from payment_kit.inbox where outcome is null)"
    " + (select count(*) from payment_kit.owed)",
    port_field="webhook_port",
    notes=["stored: two processes that only receive, at one port; applied: a receiver and a worker, two processes"],
)

# ---- the packages from npm ------------------------------------------------------------------------------------------


def _node(place: Place, script: str, *words: str, version: str) -> Command:
    settings = {
        "PATH": node.environment()["PATH"],
        "DATABASE_URL": place.dsn,
        "STRIPE_API_KEY": API_KEY,
        "STRIPE_BASE": place.stripe,
        "STRIPE_WEBHOOK_SECRET": SECRET,
        "STRIPE_API_VERSION": version,
        "STRIPE_OPENAPI": str(place.installed.openapi),
        "SYNC_WORKERS": str(SYNC_WORKERS),
    }
    return Command(["node", "--import", "./redirect.mjs", script, *words], settings, place.installed.node)


def _of_npm(name: str, script: str, version: str, status: str, notes: Sequence[str]) -> Contender:
    def command(place: Place, *words: str) -> Command:
        return _node(place, script, *words, version=version)

    with_status = ("subscription", "invoice", "charge", "payment_intent")
    return Contender(
        name=name,
        migrate=lambda place: [command(place, "migrate")],
        backfill=lambda place: command(place, "backfill", *COMPARED),
        receive=lambda place: [command(place, "serve")],
        apply=None,
        rows={kind: f"select id, {status if kind in with_status else 'null'} from stripe.{kind}s" for kind in COMPARED},
        path="/",
        copies_max=10**6,
        notes=notes,
    )


SUPABASE = _of_npm(
    "@supabase/stripe-sync-engine",
    "supabase.mjs",
    "2026-10-28.endive",
    "status::text",
    [
        "a library: processWebhook behind node's http server, syncBackfill kind after kind; stores no events",
        "needs a role named postgres to migrate; its ES module cannot migrate at all, its CommonJS build is used",
    ],
)
STRIPE = _of_npm(
    "@stripe/sync-engine",
    "stripe.mjs",
    "2026-05-27",
    "_raw_data->>'status'",
    [
        "processWebhook behind node's http server (its own receiver needs a tunnel); stores no events",
        f"fullSync with {SYNC_WORKERS} workers, its limit of 25 requests per second lifted",
        "its tables come from Stripe's OpenAPI description, which it would download; it is given one",
    ],
)

# ---- dj-stripe ------------------------------------------------------------------------------------------------------


def _django(place: Place, program: str, *words: str) -> Command:
    settings = {
        "PATH": str(place.installed.python),
        "PYTHONPATH": str(DJANGO),
        "PYTHONDONTWRITEBYTECODE": "1",
        "DJANGO_SETTINGS_MODULE": "settings",
        "DATABASE_URL": place.dsn,
        "STRIPE_BASE": place.stripe,
        "STRIPE_API_KEY": API_KEY,
        "STRIPE_WEBHOOK_SECRET": SECRET,
        "STRIPE_API_VERSION": "2026-05-27.dahlia",
    }
    return Command([str(place.installed.python / program), *words], settings, place.folder)


def _models() -> list[str]:
    return ["".join(word.title() for word in kind.split("_")) for kind in COMPARED]


DJSTRIPE = Contender(
    name="dj-stripe",
    migrate=lambda place: [
        _django(place, "django-admin", "migrate"),
        _django(place, "python", str(DJANGO / "endpoint.py")),
    ],
    backfill=lambda place: _django(place, "django-admin", "djstripe_sync_models", *_models()),
    receive=lambda place: [_django(place, "python", str(DJANGO / "serve.py"), *GUNICORN)],
    apply=None,
    rows={kind: f"select id, stripe_data->>'status' from djstripe_{kind.replace('_', '')}" for kind in COMPARED},
    path="/stripe/webhook/11111111-1111-4111-8111-111111111111/",
    copies_max=1,
    notes=["gunicorn, 4 workers of 4 threads, connections kept; stores the event and applies it before it answers"],
)

CONTENDERS = (OURS, SUPABASE, STRIPE, DJSTRIPE)

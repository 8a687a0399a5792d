"""`sync` brings the mirror up to Stripe from the command line and says how it stands."""

import asyncio
from typing import Any

import psycopg
import pytest
from pydantic import SecretStr

from payment_kit.cli import main
from payment_kit.cli import sync as sync_module
from payment_kit.database.connection import connect
from payment_kit.errors import Refused
from payment_kit.mirror.backfill import streams
from payment_kit.sandbox import Sandbox
from payment_kit.stripe_gateway import Page, StripeGateway
from tests.fix_installation import Called


async def _make_customers(sandbox: Sandbox, count: int) -> None:
    async with StripeGateway(SecretStr(sandbox.api_key), base=sandbox.url) as gateway:
        for number in range(count):
            await gateway.request("post", "/v1/customers", {"name": f"c{number}"})


def _customers(dsn: str) -> int:
    with connect(dsn) as connection:
        rows = connection.execute("select count(*) from stripe.customers").fetchall()
    return int(rows[0][0])


LISTED = set(streams())


def test_a_backfill_lists_every_object(called: Called, against_stripe: Sandbox, database: str) -> None:
    asyncio.run(_make_customers(against_stripe, 3))
    code, done = called("sync", "backfill")
    (one,) = done["accounts"]
    assert (code, one["account"], one["streams"]["customers"]) == (
        0,
        against_stripe.account_id,
        {"objects": 3, "written": 3},
    )
    assert set(one["streams"]) == LISTED
    assert _customers(database) == 3


def test_a_backfill_of_one_object_lists_only_that(called: Called, against_stripe: Sandbox) -> None:
    _, done = called("sync", "backfill", "--object", "price")
    assert done["accounts"][0]["streams"] == {"prices": {"objects": 0, "written": 0}}


def test_a_list_that_is_refused_is_named_and_exit_code_1(
    called: Called, against_stripe: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = StripeGateway.page

    async def page(self: StripeGateway, path: str, *given: Any, **options: Any) -> Page:
        if path == "/v1/prices":
            raise Refused("STRIPE_PERMISSION_DENIED", "The key may not read prices.")
        return await ask(self, path, *given, **options)

    monkeypatch.setattr(StripeGateway, "page", page)
    code, done = called("sync", "backfill", "--object", "price", "--object", "product")
    streams = done["accounts"][0]["streams"]
    assert (code, streams["prices"]["refused"], "refused" in streams["products"]) == (
        1,
        "The key may not read prices.",
        False,
    )


def test_a_catch_up_brings_what_was_not_delivered(called: Called, against_stripe: Sandbox, database: str) -> None:
    called("sync", "catch-up")
    asyncio.run(_make_customers(against_stripe, 2))
    code, found = called("sync", "catch-up")
    assert (code, found["missing"], found["backfilled"], found["outcomes"]) == (0, 2, False, {"applied": 2})
    assert _customers(database) == 2


def test_the_status_says_what_is_complete_and_what_waits(called: Called, against_stripe: Sandbox) -> None:
    called("sync", "catch-up")
    code, found = called("sync", "status")
    (one,) = found["accounts"]
    assert (code, one["account"], one["livemode"]) == (0, against_stripe.account_id, False)
    assert (one["status"]["state"], one["status"]["reasons"], one["status"]["lag"]["waiting"]) == ("COMPLETE", [], 0)
    streams = {stream["name"]: stream["complete_through"] for stream in one["status"]["streams"]}
    assert one["status"]["complete_through"] in (streams["events"], streams["balance_transactions"])


def test_dead_events_are_exit_code_1(called: Called, against_stripe: Sandbox, database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(
            "insert into payment_kit.inbox"
            " (platform, account_id, event_id, type, created, livemode, body, source, outcome)"
            " values (%s, %s, 'evt_1', 'a.b', now(), false, '', 'webhook', 'dead')",
            [against_stripe.account_id] * 2,
        )
    code, found = called("sync", "status")
    (one,) = found["accounts"]
    assert (code, one["status"]["lag"]["dead"], one["status"]["state"]) == (1, 1, "PENDING")


def test_people_read_what_became_of_events(
    capsys: pytest.CaptureFixture[str], against_stripe: Sandbox, database: str
) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        for outcome in ("applied", "stale", "unmapped"):
            connection.execute(
                "insert into payment_kit.inbox"
                " (platform, account_id, event_id, type, created, livemode, body, source, outcome)"
                " values (%s, %s, %s, 'a.b', now(), false, '', 'webhook', %s)",
                [against_stripe.account_id, against_stripe.account_id, f"evt_{outcome}", outcome],
            )
    with pytest.raises(SystemExit):
        main(["sync", "status"])
    assert "events: 1 applied, 1 held nothing newer, 1 of types no table holds" in capsys.readouterr().out


def test_people_read_a_table(capsys: pytest.CaptureFixture[str], against_stripe: Sandbox) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["sync", "status"])
    said = capsys.readouterr().out
    assert ended.value.code == 0
    assert f"The mirror of {against_stripe.account_id}" in said
    assert "PENDING" in said
    assert "nothing was compared with Stripe yet" in said
    assert "balance_transactions" in said


def test_a_database_lost_on_the_way_is_one_sentence(
    capsys: pytest.CaptureFixture[str], against_stripe: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def loses(*_: object, **__: object) -> None:
        raise psycopg.errors.AdminShutdown("terminating connection due to administrator command")

    monkeypatch.setattr(sync_module, "catch_up", loses)
    with pytest.raises(SystemExit) as ended:
        main(["sync", "catch-up"])
    said = capsys.readouterr().err
    assert ended.value.code == 2
    assert "PK-DATABASE_UNREACHABLE" in said
    assert "Traceback" not in said

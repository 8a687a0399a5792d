import threading
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest

from payment_kit.database import migrations
from payment_kit.database.connection import connect
from payment_kit.database.migrations import ensure_migrated, migrate, pending, read
from payment_kit.errors import Broken, Conflict, Problem, UsageProblem

Writer = Callable[..., Path]


@pytest.fixture
def files(tmp_path: Path) -> Writer:
    """Write migration files; called again it adds or changes some."""

    def write(**texts: str) -> Path:
        for name, text in texts.items():
            (tmp_path / f"{name.removeprefix('m')}.sql").write_text(text)
        return tmp_path

    return write


ONE = "create schema shop; create table shop.orders (id int);"
TWO = "alter table shop.orders add column note text;"


def tables(dsn: str) -> list[str]:
    with connect(dsn) as connection:
        rows = connection.execute(
            "select table_name from information_schema.tables where table_schema = 'shop'"
        ).fetchall()
    return [row[0] for row in rows]


def with_option(dsn: str, setting: str) -> str:
    return f"{dsn}{'&' if '?' in dsn else '?'}options={quote(f'-c {setting}')}"


def test_files_are_applied_in_order_and_once(empty_database: str, files: Writer) -> None:
    folder = files(m0001_orders=ONE, m0002_notes=TWO)
    assert migrate(empty_database, migrations=folder) == ["0001_orders", "0002_notes"]
    assert migrate(empty_database, migrations=folder) == []
    assert tables(empty_database) == ["orders"]


def test_what_is_pending_is_said_before_and_after(empty_database: str, files: Writer) -> None:
    migrate(empty_database, migrations=files(m0001_orders=ONE))
    folder = files(m0002_notes=TWO)
    assert pending(empty_database, migrations=folder) == ["0002_notes"]
    with pytest.raises(UsageProblem, match="1 migration, from 0002_notes on") as caught:
        ensure_migrated(empty_database, migrations=folder)
    assert caught.value.reason == "DATABASE_NOT_MIGRATED"
    migrate(empty_database, migrations=folder)
    ensure_migrated(empty_database, migrations=folder)


def test_an_applied_file_that_changed_is_refused(empty_database: str, files: Writer) -> None:
    migrate(empty_database, migrations=files(m0001_orders=ONE))
    with pytest.raises(Broken) as caught:
        migrate(empty_database, migrations=files(m0001_orders=ONE + " "))
    assert caught.value.reason == "MIGRATION_CHANGED"


def test_a_database_from_a_newer_program_is_refused(empty_database: str, files: Writer) -> None:
    folder = files(m0001_orders=ONE, m0002_notes=TWO)
    migrate(empty_database, migrations=folder)
    (folder / "0002_notes.sql").unlink()
    for check in (migrate, pending, ensure_migrated):
        with pytest.raises(UsageProblem, match="0002_notes") as caught:
            check(empty_database, migrations=folder)
        assert caught.value.reason == "MIGRATION_UNKNOWN"


def test_a_failing_file_leaves_nothing_and_keeps_what_came_before(empty_database: str, files: Writer) -> None:
    folder = files(m0001_orders=ONE, m0002_bad="create table shop.half (id int); select nonsense;")
    with pytest.raises(Broken, match="0002_bad failed and was undone"):
        migrate(empty_database, migrations=folder)
    assert tables(empty_database) == ["orders"]
    assert pending(empty_database, migrations=folder) == ["0002_bad"]


def test_a_file_and_its_entry_in_the_ledger_are_one(empty_database: str, files: Writer) -> None:
    with pytest.raises(Broken, match="0001_orders failed"):
        migrate(empty_database, migrations=files(m0001_orders=ONE + "drop table payment_kit.schema_migrations;"))
    assert tables(empty_database) == []


def test_processes_that_migrate_at_once_take_turns(empty_database: str, files: Writer) -> None:
    folder = files(m0001_orders=ONE + "select pg_sleep(0.3);", m0002_notes=TWO)
    applied: list[list[str]] = []
    threads = [
        threading.Thread(target=lambda: applied.append(migrate(empty_database, migrations=folder))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(applied) == [[], [], [], ["0001_orders", "0002_notes"]]


def test_a_role_without_the_right_to_create_is_told_so(empty_database: str, files: Writer) -> None:
    with psycopg.connect(empty_database, autocommit=True) as owner:
        row = owner.execute("select rolsuper, current_database() from pg_roles where rolname = current_user").fetchone()
        assert row is not None
        if not row[0]:
            owner.execute(f"revoke create on database {row[1]} from current_user".encode())
    limited = with_option(empty_database, "role=pg_read_all_data") if row[0] else empty_database
    with pytest.raises(UsageProblem, match=r"may not migrate the database .*: permission denied") as caught:
        migrate(limited, migrations=files(m0001_orders=ONE))
    assert caught.value.reason == "DATABASE_RIGHTS_MISSING"


def test_a_read_only_server_is_told_so(empty_database: str, files: Writer) -> None:
    standby = with_option(empty_database, "default_transaction_read_only=on")
    with pytest.raises(UsageProblem, match="read-only") as caught:
        migrate(standby, migrations=files(m0001_orders=ONE))
    assert caught.value.reason == "DATABASE_RIGHTS_MISSING"


def test_a_lock_somebody_holds_ends_the_wait(
    empty_database: str, files: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrations, "LOCK_SECONDS", "0.05")
    migrate(empty_database, migrations=files(m0001_orders=ONE))
    folder = files(m0002_notes=TWO)
    with psycopg.connect(empty_database) as reader:
        reader.execute("select * from shop.orders")
        with pytest.raises(Conflict) as caught:
            migrate(empty_database, migrations=folder)
    assert caught.value.reason == "STATE_LOCKED"
    assert migrate(empty_database, migrations=folder) == ["0002_notes"]


@pytest.mark.parametrize(
    "texts",
    [{"m0002_late": ""}, {"m0001_a": "", "m0003_c": ""}, {"m0001_a": "", "m0001_b": ""}, {"m1_short": ""}],
    ids=["starts at 2", "gap", "double", "name"],
)
def test_files_out_of_sequence_are_a_mistake_of_ours(texts: dict[str, str], files: Writer) -> None:
    with pytest.raises(ValueError, match=r"NNNN_name|without gap"):
        read(files(**texts))


def test_the_real_migrations_apply_to_an_empty_database(empty_database: str) -> None:
    assert migrate(empty_database) == [migration.name for migration in read()]
    ensure_migrated(empty_database)


def test_migrating_an_unreachable_database_is_one_sentence() -> None:
    with pytest.raises(Problem) as caught:
        migrate("postgresql://nobody@no-such-host.invalid/shop")
    assert caught.value.reason == "DATABASE_UNREACHABLE"

import psycopg
import pytest

from payment_kit.database.connection import connect
from payment_kit.database.schema import render
from payment_kit.resources import folder

KINDS = """
create schema stripe; create schema payment_kit;
create type payment_kit.state as enum ('new', 'old');
create function payment_kit.touch() returns trigger language plpgsql as $$ begin return new; end $$;
create table stripe.a (
    id bigint generated always as identity primary key,
    state payment_kit.state not null default 'new',
    amount bigint check (amount >= 0),
    twice bigint generated always as (amount * 2) stored,
    name text collate "C" unique
);
create table stripe.b (a_id bigint references stripe.a, raw jsonb not null default '{}');
create index b_raw on stripe.b ((raw ->> 'it''s.b'));
create trigger touched before update on stripe.a for each row execute function payment_kit.touch();
create view stripe.one with (security_invoker) as
    select id, amount, 'stripe.a' as origin from stripe.a where amount > 1;
create view stripe.two as select a.id, b.raw from stripe.a a join stripe.b b on b.a_id = a.id;
comment on table stripe.a is 'It''s A.';
comment on column stripe.a.amount is 'minor units';
comment on view stripe.two is 'both';
"""


def executed(dsn: str, text: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(text.encode())


def test_the_committed_schema_is_the_sum_of_the_migrations(database: str) -> None:
    committed = (folder("sql") / "schema.sql").read_text(encoding="utf-8")
    assert render(database) == committed, "run `make schema` and commit sql/schema.sql"


def test_the_rendered_schema_can_be_executed_and_gives_itself(database: str, empty_database: str) -> None:
    text = render(database)
    executed(empty_database, text)
    assert render(empty_database) == text


def test_every_kind_of_object_survives_the_round_trip(empty_database: str, cluster: str) -> None:
    executed(empty_database, KINDS)
    text = render(empty_database)
    executed(empty_database, "drop schema stripe cascade; drop schema payment_kit cascade")
    executed(empty_database, text)
    assert render(empty_database) == text
    for part in (
        "generated always as identity",
        "as enum ('new', 'old')",
        "FOREIGN KEY",
        "before update".upper(),
        "It''s A.",
    ):
        assert part in text


def test_a_view_over_one_relation_is_written_alike_by_every_version(empty_database: str) -> None:
    executed(empty_database, KINDS)
    view = render(empty_database).partition("create view stripe.one")[2].partition(";")[0]
    body = "SELECT id, amount, 'stripe.a'::text AS origin FROM stripe.a WHERE (amount > 1)"
    assert view.split() == f"with (security_invoker=true) as {body}".split()


@pytest.mark.parametrize(
    "statement",
    [
        "create materialized view stripe.m as select 1 as x",
        "create table stripe.p (id int) partition by range (id)",
        "create domain stripe.d as text",
        "grant select on stripe.a to pg_monitor",
        "alter table stripe.a enable row level security",
    ],
)
def test_what_it_cannot_render_it_refuses(statement: str, empty_database: str) -> None:
    executed(empty_database, "create schema stripe; create table stripe.a (id int)")
    executed(empty_database, statement)
    with pytest.raises(NotImplementedError, match="cannot render"):
        render(empty_database)


def test_other_schemas_are_none_of_our_business(empty_database: str) -> None:
    before = render(empty_database)
    with connect(empty_database) as connection:
        connection.execute("create table public.theirs (id int)")
    assert render(empty_database) == before

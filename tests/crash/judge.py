"""What must be true of a mirror once the work after a crash is done: nothing lost, nothing twice, rows as Stripe's."""

from typing import Any

from payment_kit.database.connection import connect_async
from payment_kit.mirror.catalogue import CARRIED_BY, CATALOGUE
from tests.convergence import truth
from tests.convergence.account import Key
from tests.crash.stripe import Stripe

AUDIT = """
create schema crash;
create table crash.finished (account_id text, event_id text);
create function crash.note() returns trigger language plpgsql as $$
begin
    insert into crash.finished values (new.account_id, new.event_id);
    return null;
end $$;
create trigger finished after update of outcome on payment_kit.inbox
for each row when (new.outcome is not null) execute function crash.note();
create table crash.paid (object text, id text, part text);
create function crash.note_paid() returns trigger language plpgsql as $$
begin
    insert into crash.paid values (old.object, old.id, old.part);
    return null;
end $$;
create trigger paid after delete on payment_kit.owed for each row execute function crash.note_paid();
"""
"""Writes down every time an event is finished with, so that a second time shows, and every debt that is settled."""

_TWICE = {
    "finished twice": "select event_id from crash.finished group by account_id, event_id having count(*) > 1",
    "finished, says nobody": "select event_id from payment_kit.inbox left join crash.finished"
    " using (account_id, event_id) where outcome is not null and finished.event_id is null",
    "given up": "select event_id || ' ' || last_error from payment_kit.inbox where outcome = 'dead'",
    "told of twice": "select account_id || object || id || event from payment_kit.changes"
    " group by account_id, object, id, event having count(*) > 1",
    "told of a state that does not follow": """
        select account_id || object || id from (
            select *, lag(event) over (partition by account_id, object, id order by position) as last
            from payment_kit.changes
        ) as told where before_event is distinct from last
    """,
    "a version told of by nobody": """
        select account_id || object || id || source_event from payment_kit.versions
        where source_event like 'read:%' and not exists (
            select from payment_kit.changes as told
            where (told.account_id, told.object, told.id, told.event)
                = (versions.account_id, versions.object, versions.id, versions.source_event)
        )
    """,
    "one state kept twice": "select account_id || object || id || source_event from payment_kit.versions"
    " group by account_id, object, id, source_event having count(*) > 1",
}
_WAITING = (
    "select (select count(*) from payment_kit.inbox where outcome is null), (select count(*) from payment_kit.owed)"
)
_ROWS = " union all ".join(
    f"select account_id, '{entry.name}', id, raw, deleted_at is not null, source_event from stripe.{entry.table}"
    for entry in CATALOGUE.values()
)
_LAST = "select distinct on (account_id, object, id) account_id, object, id, event from payment_kit.changes"
_MADE = """
select changes.recorded_at, position, operation, event, before_event, inbox.outcome, inbox.applied_at
from payment_kit.changes
left join payment_kit.inbox on inbox.event_id = changes.event
where changes.id = '{}' order by position
"""
_ORDER = " order by account_id, object, id, position desc"


async def waiting(dsn: str) -> tuple[int, int]:
    """Events that wait to be applied, and reads that are owed."""
    events, owed = (await asked(dsn, _WAITING))[0]
    return events, owed


async def lost(dsn: str, stripe: Stripe) -> list[str]:
    """Acknowledged events that are not in the inbox."""
    stored = {row[0] for row in await asked(dsn, "select event_id from payment_kit.inbox")}
    return sorted(stripe.acknowledged - stored)


async def mirrored(dsn: str) -> dict[Key, Any]:
    """Every object as its row has it; None for one that is gone."""
    return {(who, kind, id_): None if gone else raw for who, kind, id_, raw, gone, _ in await asked(dsn, _ROWS)}


async def differences(dsn: str, stripe: Stripe) -> list[str]:
    """What is wrong, in words."""
    found = [f"acknowledged and lost: {one}" for one in await lost(dsn, stripe)]
    for what, query in _TWICE.items():
        found += [f"{what}: {row[0]}" for row in await asked(dsn, query)]
    return found + await _unequal(dsn, stripe)


async def _unequal(dsn: str, stripe: Stripe) -> list[str]:
    theirs, told = await truth.everything(stripe.account), truth.last_told(stripe.account)
    last = {(who, kind, id_): event for who, kind, id_, event in await asked(dsn, _LAST + _ORDER)}
    found, mine = [], dict[Key, Any]()
    for who, kind, id_, raw, gone, event in await asked(dsn, _ROWS):
        mine[who, kind, id_] = None if gone else truth.canonical(raw)
        if last.get((who, kind, id_)) != event:
            found.append(f"{kind} {id_}: the last change told of is {last.get((who, kind, id_))}, the row has {event}")
    for key in sorted(theirs.keys() | mine.keys()):
        row, wanted = mine.get(key), theirs.get(key)
        if truth.same(row, wanted) or _excused(key, row, wanted, told):
            continue
        found.append(f"{' '.join(key)}: {_what(row, wanted)}\n{await _story(dsn, stripe, key)}")
    return found


async def _story(dsn: str, stripe: Stripe, key: Key) -> str:
    """How it came to this: what was told of an object, and what the mirror made of it."""
    told = [
        f"  told {event['created']} {event['id']} {event['type']} {event['data'].get('previous_attributes')}"
        for event in stripe.account.truth.told
        if event["data"]["object"].get("id") == key[2]
    ]
    made = await asked(dsn, _MADE.format(key[2]))
    return "\n".join([*told, *(f"  made {' '.join(map(str, row))}" for row in made)])


def _what(row: Any, wanted: Any) -> str:
    if row is None or wanted is None:
        return f"the mirror has {'none' if row is None else 'one'}, Stripe {'none' if wanted is None else 'one'}"
    return ", ".join(
        f"{name} {str(row.get(name))[:80]}, at Stripe {str(wanted.get(name))[:80]}"
        for name in sorted(_differing(row, wanted))
    )


def _excused(key: Key, row: Any, wanted: Any, told: dict[Key, Any]) -> bool:
    """Nobody told of the change, or of the object at all. What is carried inside another is always read."""
    if key[1] in CARRIED_BY:
        return False
    if key not in told:
        return True
    if row is None or wanted is None or told[key] is None:
        return bool(row == told[key])
    return _differing(row, wanted) <= _differing(truth.without_lists(told[key]), truth.without_lists(wanted))


def _differing(one: Any, other: Any) -> set[str]:
    return {name for name in one | other if not truth.same(one.get(name), other.get(name))}


async def asked(dsn: str, query: str) -> list[tuple[Any, ...]]:
    """What the database answers."""
    connection = await connect_async(dsn, name="judge")
    async with connection:
        return await (await connection.execute(query.encode())).fetchall()

-- name: owed.owe
-- Remember reads that are owed; what is owed already is renewed, so that a read begun before does not settle it.
insert into payment_kit.owed as known (platform, account_id, object, id, part, livemode, reason, since)
select
    %(platform)s::text,
    %(account_id)s::text,
    given.object,
    given.id,
    given.part,
    %(livemode)s::boolean,
    given.reason,
    to_timestamp(given.since)
from jsonb_to_recordset(%(rows)s::jsonb) as given (object text, id text, part text, reason text, since bigint)
where
    given.reason <> 'reference'
    or not exists (
        select 1 from stripe.mandates
        where mandates.account_id = %(account_id)s::text and given.object = 'mandate' and mandates.id = given.id
    )
order by given.object, given.id, given.part
on conflict (account_id, object, id, part) do update
set
    token = known.token + 1,
    since = least(known.since, excluded.since);

-- name: owed.claim
-- Take debts for a while; another worker skips them until the lease is over.
update payment_kit.owed as taken
set available_at = now() + make_interval(secs => %(lease_seconds)s::double precision)
from (
    select
        account_id,
        object,
        id,
        part
    from payment_kit.owed
    where platform = %(platform)s::text and available_at <= now()
    order by available_at
    limit %(limit)s::integer
    for update skip locked
) as due
where
    taken.account_id = due.account_id
    and taken.object = due.object
    and taken.id = due.id
    and taken.part = due.part
returning
    taken.account_id,
    taken.object,
    taken.id,
    taken.part,
    taken.livemode,
    taken.token,
    taken.attempts,
    extract(epoch from taken.since)::bigint;

-- name: owed.settle
-- Debts are paid, unless there is a newer reason than the one that was paid for, or the answer decided nothing (no
-- token): then they are due at once. Locked first: one that is renewed just now must not be missed by both.
with given as (
    select
        object,
        id,
        part,
        token
    from jsonb_to_recordset(%(debts)s::jsonb) as given (object text, id text, part text, token bigint)
),

held as (
    select
        known.object,
        known.id,
        known.part,
        known.token is not distinct from given.token as paid
    from payment_kit.owed as known
    inner join given using (object, id, part)
    where known.account_id = %(account_id)s::text
    order by known.object, known.id, known.part
    for update of known
),

again as (
    update payment_kit.owed as known
    set available_at = now(), attempts = 0
    from held
    where
        known.account_id = %(account_id)s::text
        and known.object = held.object
        and known.id = held.id
        and known.part = held.part
        and not held.paid
)

delete from payment_kit.owed as known
using held
where
    known.account_id = %(account_id)s::text
    and known.object = held.object
    and known.id = held.id
    and known.part = held.part
    and held.paid;

-- name: owed.fail
-- A read did not succeed; it is tried again later, for ever.
update payment_kit.owed
set
    attempts = attempts + 1,
    last_error = %(error)s::text,
    available_at = now() + make_interval(secs => %(seconds)s::double precision)
where
    account_id = %(account_id)s::text
    and object = %(object)s::text
    and id = %(id)s::text
    and part = %(part)s::text;

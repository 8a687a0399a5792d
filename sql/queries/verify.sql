-- name: verify.missed_events
-- Of some events those that never reached us.
select given.id
from unnest(%(ids)s::text []) as given (id)
left join payment_kit.inbox
    on inbox.account_id = %(account_id)s::text and inbox.event_id = given.id
where inbox.event_id is null
order by given.id;

-- name: verify.pending
-- What keeps the mirror from being complete: events that wait or were given up, reads that are owed, listings begun
-- and not ended.
select
    (
        select count(*)
        from payment_kit.inbox
        where account_id = %(account_id)s::text and outcome is null
    ),
    (
        select count(*)
        from payment_kit.inbox
        where account_id = %(account_id)s::text and outcome = 'dead'
    ),
    (
        select count(*)
        from payment_kit.owed
        where account_id = %(account_id)s::text
    ),
    (
        select coalesce(array_agg(stream order by stream), '{}')
        from payment_kit.sync_state
        where account_id = %(account_id)s::text and started_at is not null and finished_at is null
    );

-- name: verify.under_way
-- Of some objects those that an event waits for, or a read that is owed.
select given.id
from unnest(%(objects)s::text [], %(ids)s::text []) as given (object, id)
where
    exists(
        select 1
        from payment_kit.inbox
        where inbox.account_id = %(account_id)s::text and inbox.outcome is null and inbox.object_id = given.id
    )
    or exists(
        select 1
        from payment_kit.owed
        where owed.account_id = %(account_id)s::text and owed.object = given.object and owed.id = given.id
    );

-- name: verify.now
-- The database's clock.
select clock_timestamp();

-- name: verify.payouts
-- Payouts that are itemised or could be, after one of them, with what we hold of them.
select
    payouts.id,
    done.payout_id is not null,
    coalesce(done.items, 0),
    array(
        select items.balance_transaction_id
        from stripe.payout_balance_transactions as items
        where items.account_id = payouts.account_id and items.payout_id = payouts.id
        order by items.balance_transaction_id
    )
from stripe.payouts
left join stripe.payout_itemisations as done
    on payouts.account_id = done.account_id and payouts.id = done.payout_id
where
    payouts.account_id = %(account_id)s::text
    and payouts.deleted_at is null
    and payouts.automatic
    and payouts.reconciliation_status = 'completed'
    and payouts.id > %(after)s::text
order by payouts.id
limit %(limit)s::integer;

-- name: verify.passed
-- Remember when everything was last found equal, in Stripe's time.
insert into payment_kit.sync_state as state (account_id, stream, complete_through, position, started_at, finished_at)
values (
    %(account_id)s::text,
    'verify',
    to_timestamp(%(complete_through)s::bigint),
    %(position)s::jsonb,
    now(),
    now()
)
on conflict (account_id, stream) do update
set
    complete_through = greatest(state.complete_through, excluded.complete_through),
    position = excluded.position,
    started_at = excluded.started_at,
    finished_at = excluded.finished_at;

-- name: verify.forget_items
-- Itemise a payout anew.
with items as (
    delete from stripe.payout_balance_transactions
    where account_id = %(account_id)s::text and payout_id = %(payout_id)s::text
)

delete from stripe.payout_itemisations
where account_id = %(account_id)s::text and payout_id = %(payout_id)s::text;

-- name: verify.unmapped
-- Events of types no table held when they came, after one of them.
select
    account_id,
    event_id,
    livemode,
    body
from payment_kit.inbox
where platform = %(platform)s::text and outcome = 'unmapped' and (account_id, event_id) > (%(account_id)s::text, %(event_id)s::text)
order by account_id, event_id
limit %(limit)s::integer;

-- name: verify.mapped
-- What became of events now that a table holds their object.
update payment_kit.inbox
set outcome = given.outcome, applied_at = now()
from unnest(%(account_ids)s::text [], %(event_ids)s::text [], %(outcomes)s::text [])
    as given (account_id, event_id, outcome)
where inbox.account_id = given.account_id and inbox.event_id = given.event_id and inbox.outcome = 'unmapped';

-- name: verify.events_about
-- The bodies of the events about one object.
select body
from payment_kit.inbox
where account_id = %(account_id)s::text and object_id = %(object_id)s::text
order by created, event_id;

-- name: verify.newest_versions
-- What some objects last were before they were deleted.
select distinct on (id)
    id,
    raw
from payment_kit.versions
where account_id = %(account_id)s::text and object = %(object)s::text and id = any(%(ids)s::text []) and not deleted
order by id, source_time desc, source_progress desc, recorded_at desc;

-- name: verify.has_version
-- Is this very state in the versions already?
select true
from payment_kit.versions
where
    account_id = %(account_id)s::text
    and object = %(object)s::text
    and id = %(id)s::text
    and source_event = %(event)s::text
    and source_time = to_timestamp(%(time)s::double precision);

-- name: verify.drop_version
-- A damaged row is no state the object ever had.
delete from payment_kit.versions
where
    account_id = %(account_id)s::text
    and object = %(object)s::text
    and id = %(id)s::text
    and source_event = %(event)s::text
    and source_time = to_timestamp(%(time)s::double precision);

-- name: sync.position
-- Where a stream stands: complete through (Unix seconds), the saved position, objects so far, finished or not.
select
    extract(epoch from complete_through)::bigint,
    position,
    objects,
    finished_at is not null
from payment_kit.sync_state
where account_id = %(account_id)s::text and stream = %(stream)s::text;

-- name: sync.start
-- Begin reading a stream from its start.
insert into payment_kit.sync_state as state (account_id, stream, position, started_at)
values (%(account_id)s::text, %(stream)s::text, %(position)s::jsonb, now())
on conflict (account_id, stream) do update
set position = excluded.position, objects = 0, started_at = excluded.started_at, finished_at = null;

-- name: sync.advance
-- Remember how far a stream has been read, in the transaction that wrote its objects.
update payment_kit.sync_state
set position = %(position)s::jsonb, objects = objects + %(objects)s::bigint
where account_id = %(account_id)s::text and stream = %(stream)s::text;

-- name: sync.complete
-- Everything of the stream before this moment of Stripe's time is in the mirror; it never goes back.
insert into payment_kit.sync_state as state (
    account_id, stream, complete_through, objects, started_at, finished_at
)
values (
    %(account_id)s::text, %(stream)s::text, to_timestamp(%(complete_through)s::bigint), %(objects)s::bigint, now(), now()
)
on conflict (account_id, stream) do update
set
    complete_through = greatest(state.complete_through, excluded.complete_through),
    objects = state.objects + excluded.objects,
    position = state.position - 'refused',
    finished_at = excluded.finished_at;

-- name: sync.streams
-- Every stream of an account with its completeness, whether it is being read or was broken off, why it was refused,
-- and the gap (Unix seconds) that has to be bridged first.
select
    stream,
    complete_through,
    objects,
    started_at is not null and finished_at is null,
    coalesce(position->>'refused', ''),
    (position->'gap'->>0)::bigint,
    (position->'gap'->>1)::bigint,
    finished_at
from payment_kit.sync_state
where account_id = %(account_id)s::text
order by stream;

-- name: sync.oldest_pending_transaction
-- Unix seconds of the oldest balance transaction that may still become available; null when none may.
select extract(epoch from min(created))::bigint
from stripe.balance_transactions
where account_id = %(account_id)s::text and status = 'pending' and created >= to_timestamp(%(since)s::bigint);

-- name: sync.payouts_to_itemise
-- Automatic payouts Stripe can itemise and we have not.
select payouts.id
from stripe.payouts
left join stripe.payout_itemisations as done
    on payouts.account_id = done.account_id and payouts.id = done.payout_id
where
    payouts.account_id = %(account_id)s::text
    and payouts.automatic
    and payouts.reconciliation_status = 'completed'
    and payouts.deleted_at is null
    and done.payout_id is null
order by payouts.created, payouts.id;

-- name: sync.link_payout
-- The balance transactions a payout pays out.
insert into stripe.payout_balance_transactions (account_id, payout_id, balance_transaction_id)
select
    %(account_id)s::text,
    %(payout_id)s::text,
    unnest(%(balance_transaction_ids)s::text [])
on conflict do nothing;

-- name: sync.itemised
-- The payout's list was read to its end.
insert into stripe.payout_itemisations (account_id, payout_id, items)
values (%(account_id)s::text, %(payout_id)s::text, %(items)s::bigint)
on conflict do nothing;

-- name: sync.refused
-- Stripe does not let this key read the stream; what it was complete through stays true.
insert into payment_kit.sync_state as state (account_id, stream, position, started_at)
values (%(account_id)s::text, %(stream)s::text, %(refused)s::jsonb, now())
on conflict (account_id, stream) do update
set position = state.position || excluded.position;

-- name: sync.gap
-- Events are gone from Stripe's list: nothing more is claimed until every object was listed.
insert into payment_kit.sync_state as state (account_id, stream, position, started_at)
values (%(account_id)s::text, %(stream)s::text, %(position)s::jsonb, now())
on conflict (account_id, stream) do update
set position = state.position || excluded.position, started_at = excluded.started_at, finished_at = null;

-- name: sync.listed_since
-- The streams whose last complete listing began at this moment of Stripe's time or later.
select stream
from payment_kit.sync_state
where account_id = %(account_id)s::text and complete_through >= to_timestamp(%(since)s::bigint);

-- name: inbox.store
-- Store a batch of deliveries; one that is there already is only counted. Says of each whether it was new.
insert into payment_kit.inbox as stored (
    platform, account_id, event_id, type, object_id, created, livemode, api_version, body, source, deliveries
)
select
    %(platform)s::text,
    given.account_id,
    given.event_id,
    given.type,
    given.object_id,
    to_timestamp(given.created),
    given.livemode,
    given.api_version,
    given.body,
    given.source,
    given.deliveries
from
    unnest(
        %(account_ids)b::text [],
        %(event_ids)b::text [],
        %(types)b::text [],
        %(object_ids)b::text [],
        %(created)b::bigint [],
        %(livemode)b::boolean [],
        %(api_versions)b::text [],
        %(bodies)b::bytea [],
        %(sources)b::text [],
        %(deliveries)b::integer []
    ) as given (
        account_id, event_id, type, object_id, created, livemode, api_version, body, source, deliveries
    )
order by given.account_id, given.event_id
on conflict (account_id, event_id) do update set deliveries = stored.deliveries + excluded.deliveries
returning event_id, xmax = 0;

-- name: inbox.store_missing
-- Store the events of a batch that never reached us; the others stay untouched.
insert into payment_kit.inbox (
    platform, account_id, event_id, type, object_id, created, livemode, api_version, body, source, deliveries
)
select
    %(platform)s::text,
    given.account_id,
    given.event_id,
    given.type,
    given.object_id,
    to_timestamp(given.created),
    given.livemode,
    given.api_version,
    given.body,
    given.source,
    given.deliveries
from
    unnest(
        %(account_ids)b::text [],
        %(event_ids)b::text [],
        %(types)b::text [],
        %(object_ids)b::text [],
        %(created)b::bigint [],
        %(livemode)b::boolean [],
        %(api_versions)b::text [],
        %(bodies)b::bytea [],
        %(sources)b::text [],
        %(deliveries)b::integer []
    ) as given (
        account_id, event_id, type, object_id, created, livemode, api_version, body, source, deliveries
    )
order by given.account_id, given.event_id
on conflict (account_id, event_id) do nothing;

-- name: inbox.notify
-- Wake the workers of other processes.
select pg_notify(%(channel)s::text, '');

-- name: inbox.claim
-- Take the events that wait longest; other workers skip them until this transaction ends.
select
    account_id,
    event_id,
    type,
    livemode,
    body,
    attempts
from payment_kit.inbox
where platform = %(platform)s::text and outcome is null and available_at <= now()
order by available_at
limit %(limit)s::integer
for update skip locked;

-- name: inbox.finish
-- Record what became of events, in the transaction that wrote the mirror.
update payment_kit.inbox
set outcome = given.outcome, applied_at = now(), last_error = null
from unnest(%(account_ids)s::text [], %(event_ids)s::text [], %(outcomes)s::text [])
    as given (account_id, event_id, outcome)
where inbox.account_id = given.account_id and inbox.event_id = given.event_id and inbox.outcome is null;

-- name: inbox.fail
-- Count a failed attempt; after the last one the event is dead and blocks nobody.
update payment_kit.inbox
set
    attempts = inbox.attempts + 1,
    last_error = %(error)s::text,
    available_at = now() + make_interval(secs => %(seconds)s::double precision),
    outcome = case when inbox.attempts + 1 >= %(attempts_max)s::integer then 'dead' end
where account_id = %(account_id)s::text and event_id = %(event_id)s::text and outcome is null
returning outcome;

-- name: inbox.lag
-- How many events wait or are dead, for how many seconds the oldest has waited, how many reads are owed, and since when.
select
    count(*) filter (where outcome is null),
    count(*) filter (where outcome = 'dead'),
    coalesce(extract(epoch from now() - min(received_at) filter (where outcome is null)), 0)::double precision,
    (
        select count(*)
        from payment_kit.owed
        where account_id = %(account_id)s::text
    ),
    (
        select min(since)
        from payment_kit.owed
        where account_id = %(account_id)s::text
    )
from payment_kit.inbox
where account_id = %(account_id)s::text and (outcome is null or outcome = 'dead');

-- name: inbox.first_unapplied
-- Stripe's time of the oldest event that is not in the mirror, waiting or dead, and of the oldest read that is owed;
-- null when there is none.
select extract(epoch from least(
    (
        select min(created)
        from payment_kit.inbox
        where account_id = %(account_id)s::text and (outcome is null or outcome = 'dead')
    ),
    (
        select min(since)
        from payment_kit.owed
        where account_id = %(account_id)s::text
    )
))::bigint;

-- name: inbox.deliveries
-- Stored events and their deliveries, by type and outcome.
select
    type,
    coalesce(outcome, 'waiting'),
    count(*),
    sum(deliveries)::bigint
from payment_kit.inbox
where account_id = %(account_id)s::text
group by 1, 2
order by 1, 2;

-- name: inbox.untried_before
-- Does an event, or a read that is owed, from before this moment of Stripe's time wait for its first attempt?
select exists(
    select 1
    from payment_kit.inbox
    where
        account_id = %(account_id)s::text
        and outcome is null
        and attempts = 0
        and available_at <= now()
        and created < to_timestamp(%(before)s::bigint)
) or exists(
    select 1
    from payment_kit.owed
    where account_id = %(account_id)s::text and attempts = 0 and since < to_timestamp(%(before)s::bigint)
);

-- name: inbox.event
-- What is known of one event.
select
    event_id as id,
    type,
    object_id,
    coalesce(outcome, 'waiting') as outcome,
    api_version,
    source,
    deliveries,
    attempts,
    extract(epoch from created)::bigint as created,
    extract(epoch from received_at)::bigint as received_at,
    extract(epoch from applied_at)::bigint as applied_at
from payment_kit.inbox
where account_id = %(account_id)s::text and event_id = %(event_id)s::text;

-- name: inbox.events
-- What is known of the events behind a place, newest first; a filter that is null is not applied.
select
    event_id as id,
    type,
    object_id,
    coalesce(outcome, 'waiting') as outcome,
    api_version,
    source,
    deliveries,
    attempts,
    extract(epoch from created)::bigint as created,
    extract(epoch from received_at)::bigint as received_at,
    extract(epoch from applied_at)::bigint as applied_at
from payment_kit.inbox
where
    account_id = %(account_id)s::text
    and (created, event_id) < (to_timestamp(%(after)s::bigint), %(behind)s::text)
    and (%(type)s::text is null or type = %(type)s::text)
    and (%(object_id)s::text is null or object_id = %(object_id)s::text)
    and (%(outcome)s::text is null or coalesce(outcome, 'waiting') = %(outcome)s::text)
    and (%(created_from)s::bigint is null or created >= to_timestamp(%(created_from)s::bigint))
    and (%(created_before)s::bigint is null or created < to_timestamp(%(created_before)s::bigint))
order by inbox.created desc, inbox.event_id desc
limit %(limit)s::integer;

-- name: inbox.replay
-- Let an event that was given up or came too late wait for a worker again.
update payment_kit.inbox
set outcome = null, applied_at = null, attempts = 0, available_at = now()
where
    account_id = %(account_id)s::text
    and event_id = %(event_id)s::text
    and outcome in ('dead', 'stale')
returning event_id as id;

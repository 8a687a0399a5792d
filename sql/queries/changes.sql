-- name: changes.behind
-- What is visible behind a position, and how this snapshot stands: the oldest transaction that may still be under way,
-- the first that has not ended, and the newest position there is (0: none). One row without a change when there is none.
select
    stands.oldest,
    stands.coming,
    stands.newest,
    seen.position,
    seen.account_id,
    seen.object,
    seen.id,
    seen.operation,
    seen.event,
    seen.before_event,
    seen.recorded_at
from (
    select
        pg_snapshot_xmin(pg_current_snapshot())::text::bigint as oldest,
        pg_snapshot_xmax(pg_current_snapshot())::text::bigint as coming,
        coalesce((
            select max(position)
            from payment_kit.changes
        ), 0) as newest
) as stands
left join lateral (
    select *
    from payment_kit.changes
    where position > %(position)s::bigint
    order by position
    limit %(limit)s::integer
) as seen on true
order by seen.position;

-- name: changes.mark
-- A number above that of every transaction that has written anything by now.
select pg_current_xact_id()::text::bigint;

-- name: changes.versions
-- The states that events brought, where they are in the versions.
select
    versions.account_id,
    versions.object,
    versions.id,
    versions.source_event,
    versions.raw,
    versions.deleted
from unnest(%(account_ids)s::text [], %(objects)s::text [], %(ids)s::text [], %(events)s::text [])
    as given (account_id, object, id, event)
inner join payment_kit.versions as versions
    on
        versions.account_id = given.account_id
        and versions.object = given.object
        and versions.id = given.id
        and versions.source_event = given.event;

-- name: changes.notify
-- Wake those who follow the changes.
select pg_notify(%(channel)s::text, '');

-- name: changes.enter
-- A follower nobody has heard of begins at a cursor.
insert into payment_kit.followers (name, cursor)
values (%(name)s::text, %(cursor)s::text)
on conflict (name) do nothing;

-- name: changes.resume
-- Where a follower goes on; others of its name wait until this transaction ends.
select cursor
from payment_kit.followers
where name = %(name)s::text
for update;

-- name: changes.acknowledge
-- A follower has done with everything up to a cursor.
insert into payment_kit.followers as known (name, cursor)
values (%(name)s::text, %(cursor)s::text)
on conflict (name) do update set cursor = excluded.cursor, updated_at = now();

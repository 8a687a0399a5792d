-- name: backfill.windows
-- The windows of a stream under way, with Unix seconds; none when it was read to its end.
select
    id,
    listing,
    extract(epoch from started_at)::bigint,
    extract(epoch from created_from)::bigint,
    extract(epoch from created_before)::bigint,
    after,
    extract(epoch from reached_at)::bigint,
    boundary,
    objects,
    finished
from payment_kit.backfill_windows
where account_id = %(account_id)s::text and stream = %(stream)s::text
order by id;

-- name: backfill.forget
-- Forget the windows of a stream: it was read to its end, or begins anew.
delete from payment_kit.backfill_windows
where account_id = %(account_id)s::text and stream = %(stream)s::text;

-- name: backfill.begin
-- One window for each list of a stream.
insert into payment_kit.backfill_windows (account_id, stream, listing, started_at)
select
    %(account_id)s::text,
    %(stream)s::text,
    listings.name,
    to_timestamp(%(started)s::bigint)
from unnest(%(listings)s::text []) with ordinality as listings (name, number)
order by listings.number;

-- name: backfill.split
-- Cut the older part off a window, as a window of its own; answers its id.
with older as (
    select
        account_id,
        stream,
        listing,
        started_at,
        created_from
    from payment_kit.backfill_windows
    where id = %(id)s::bigint
    for update
),

kept as (
    update payment_kit.backfill_windows as window_
    set created_from = to_timestamp(%(middle)s::bigint)
    from older
    where window_.id = %(id)s::bigint
)

insert into payment_kit.backfill_windows (
    account_id, stream, listing, started_at, created_from, created_before
)
select
    account_id,
    stream,
    listing,
    started_at,
    created_from,
    to_timestamp(%(middle)s::bigint)
from older
returning id;

-- name: backfill.advance
-- Remember how far windows have been read, in the transaction that wrote their objects.
with given as (
    select
        id,
        after,
        reached,
        boundary,
        objects,
        finished
    from jsonb_to_recordset(%(windows)s::jsonb) as windows (
        id bigint, after text, reached bigint, boundary text [], objects bigint, finished boolean
    )
),

moved as (
    update payment_kit.backfill_windows as window_
    set
        after = given.after,
        reached_at = to_timestamp(given.reached),
        boundary = given.boundary,
        objects = window_.objects + given.objects,
        finished = given.finished
    from given
    where window_.id = given.id
)

update payment_kit.sync_state
set objects = sync_state.objects + (select coalesce(sum(given.objects), 0) from given)
where account_id = %(account_id)s::text and stream = %(stream)s::text;

-- name: backfill.missed
-- Some rows that their list did not show, with the Unix second of that list.
select
    id,
    extract(epoch from missed_at)::bigint
from payment_kit.backfill_missed
where account_id = %(account_id)s::text and stream = %(stream)s::text
order by id
limit %(limit)s::integer;

-- name: backfill.settled
-- What became of them is known.
delete from payment_kit.backfill_missed
where account_id = %(account_id)s::text and stream = %(stream)s::text and id = any(%(ids)s::text []);

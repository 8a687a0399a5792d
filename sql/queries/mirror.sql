-- name: mirror.append_versions
-- Keep every state that reached us; one that is there already (a repeated event) stays as it is.
insert into payment_kit.versions (
    account_id, object, id, source_time, source_progress, source_event, raw, api_version, deleted
)
select
    %(account_id)s,
    given.object,
    given.id,
    to_timestamp(given.at),
    given.progress,
    given.event,
    given.raw,
    given.api_version,
    given.deleted
from
    jsonb_to_recordset(%(rows)s::jsonb) as given (
        object text,
        id text,
        raw jsonb,
        api_version text,
        at bigint,
        progress bigint [],
        event text,
        deleted boolean
    )
order by given.object, given.id, given.at, given.event
on conflict do nothing;

-- name: mirror.known_of_second
-- Every state in the versions with the same object and order, to break a tie.
select
    versions.object,
    versions.id,
    versions.raw,
    extract(epoch from versions.source_time)::bigint,
    versions.source_progress,
    versions.source_event,
    versions.api_version,
    versions.deleted
from
    jsonb_to_recordset(%(rows)s::jsonb) as given (object text, id text, at bigint, progress bigint [])
inner join payment_kit.versions as versions
    on
        versions.account_id = %(account_id)s
        and versions.object = given.object
        and versions.id = given.id
        and versions.source_time = to_timestamp(given.at)
        and versions.source_progress = given.progress;

-- name: mirror.bodies
-- The bodies of some events.
select
    event_id,
    body
from payment_kit.inbox
where account_id = %(account_id)s::text and event_id = any(%(event_ids)s::text []);

-- name: mirror.remember_reads
-- Which reads wrote rows, and the times they were written with.
insert into payment_kit.reads (account_id, event, source_time, api_version)
select
    %(account_id)s::text,
    given.event,
    to_timestamp(given.at),
    given.api_version
from
    unnest(%(events)s::text [], %(times)s::bigint [], %(api_versions)s::text [])
        as given (event, at, api_version)
order by given.event, given.at
on conflict do nothing;

-- name: history.states_at
-- The newest states of the objects of one kind at a moment, in the order of their ids; several of one object are tied.
select
    id,
    extract(epoch from source_time)::bigint,
    source_progress,
    source_event,
    raw,
    api_version,
    recorded_at,
    is_row,
    tied
from payment_kit.states_at(
    %(account_id)s::text,
    %(object)s::text,
    %(at)s::timestamptz,
    coalesce(%(known_at)s::timestamptz, 'infinity'),
    %(ids)s::text []
);

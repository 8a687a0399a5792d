-- The past can be read and not be changed, and who follows the changes is remembered.
set local lock_timeout = '5s';
set local statement_timeout = '60s';

create function payment_kit.kept() returns trigger language plpgsql as $$
begin
    if coalesce(current_setting('payment_kit.may_change_history', true), '') <> 'yes' then
        raise exception '%.% is append-only: % is refused', tg_table_schema, tg_table_name, lower(tg_op)
        using errcode = 'restrict_violation',
        hint = 'Who has to (erasing a person, emptying a test database) says so in the same transaction: set local payment_kit.may_change_history = ''yes''.';
    end if;
    return null;
end
$$;
comment on function payment_kit.kept() is
'Refuses to change or remove what was recorded, unless the transaction has set payment_kit.may_change_history to yes.';

create trigger versions_kept before update or delete or truncate on payment_kit.versions
for each statement execute function payment_kit.kept();

create table payment_kit.followers (
    name text primary key,
    cursor text not null,
    updated_at timestamp with time zone not null default now()
);
comment on table payment_kit.followers is
'Applications that follow payment_kit.changes by a name: the cursor behind which each of them goes on.';

create function payment_kit.table_of(kind text) returns regclass language sql stable as $$
    select tgrelid::regclass from pg_trigger
    where tgfoid = 'payment_kit.inserted()'::regprocedure and tgargs = convert_to(kind, 'UTF8') || '\x00'::bytea
$$;
comment on function payment_kit.table_of(text) is
'The table of an object by Stripe''s name for it, e.g. stripe.customers for customer; null for one that is not mirrored.';

create function payment_kit.carried_by(kind text, out parent text, out field text) language sql immutable as $$
    select carried.parent, carried.field
    from (
        values
        ('transfer_reversal', 'transfer', 'reversals'),
        ('fee_refund', 'application_fee', 'refunds'),
        ('subscription_item', 'subscription', 'items'),
        ('line_item', 'invoice', 'lines'),
        ('credit_note_line_item', 'credit_note', 'lines'),
        ('entitlements.active_entitlement', 'entitlements.active_entitlement_summary', 'entitlements')
    ) as carried (child, parent, field)
    where carried.child = kind
$$;
comment on function payment_kit.carried_by(text) is
'The object that carries another inside its own state, and the list it is in there; null for what stands alone.';

create function payment_kit.states_at(
    account text,
    kind text,
    at timestamp with time zone,
    known_at timestamp with time zone default 'infinity',
    ids text [] default null
) returns table (
    id text,
    source_time timestamp with time zone,
    source_progress bigint [],
    source_event text,
    raw jsonb,
    api_version text,
    recorded_at timestamp with time zone,
    is_row boolean,
    tied boolean
) language plpgsql stable set jit = off as $$
declare
    stored regclass := payment_kit.table_of(kind);
begin
    if stored is null then
        raise exception 'no table holds objects of the kind %', kind using errcode = 'invalid_parameter_value';
    end if;
    -- A row is the newest of everything known of its object, so the versions only speak where the row is from later.
    return query execute format(
        $query$
        select
            id, source_time, source_progress, source_event, raw, api_version, synced_at, true,
            exists (
                select from payment_kit.owed
                where owed.account_id = $1 and owed.object = $2 and owed.id = stored.id and owed.reason = 'tie'
            )
        from %1$s as stored
        where account_id = $1 and source_time <= $3 and synced_at <= $4 and deleted_at is null
            and ($5 is null or id = any($5))
        union all
        select id, source_time, source_progress, source_event, raw, api_version, recorded_at, false,
            bool_or(differs) over (partition by id)
        from (
            select *, raw is distinct from first_value(raw) over (partition by id) as differs
            from (
                select *,
                    rank() over (partition by id order by source_time desc, source_progress desc) as place,
                    bool_or(deleted) over (partition by id) as gone
                from payment_kit.versions
                where account_id = $1 and object = $2 and source_time <= $3 and recorded_at <= $4
                    and ($5 is null or id = any($5))
                    and not exists (
                        select from %1$s as stored
                        where stored.account_id = $1 and stored.id = versions.id
                            and stored.source_time <= $3 and stored.synced_at <= $4
                    )
            ) as ranked
            where place = 1 and not gone
        ) as newest
        order by 1
        $query$,
        stored
    ) using account, kind, at, known_at, ids;
end
$$;
comment on function payment_kit.states_at(text, text, timestamp with time zone, timestamp with time zone, text []) is
'The newest state of each object at a moment of Stripe''s time, of what we knew at a moment of our own; several where states of one second differ and are in no order by their keys (tied). Deleted objects are left out.';

create function payment_kit.as_of(
    account text,
    object text,
    at timestamp with time zone,
    known_at timestamp with time zone default 'infinity'
) returns table (
    id text,
    source_time timestamp with time zone,
    source_event text,
    raw jsonb,
    certain boolean
) language plpgsql stable set jit = off as $$
declare
    carrier text;
    list text;
begin
    select found.parent, found.field into carrier, list from payment_kit.carried_by(as_of.object) as found;
    if carrier is null then
        return query
            select distinct on (states.id)
                states.id, states.source_time, states.source_event, states.raw, not states.tied
            from payment_kit.states_at(as_of.account, as_of.object, as_of.at, as_of.known_at) as states
            -- Of a tie the one that was written into the row last: the writer knew what it was told by then.
            order by
                states.id,
                case
                    when states.tied then (
                        select max(changes.position) from payment_kit.changes as changes
                        where changes.account_id = as_of.account and changes.object = as_of.object
                            and changes.id = states.id and changes.event = states.source_event
                    )
                end desc nulls last,
                states.source_event desc;
    else
        return query
            select
                child->>'id', parents.source_time, parents.source_event, child,
                parents.certain and coalesce(parents.raw->list->>'has_more', 'false') <> 'true'
            from payment_kit.as_of(as_of.account, carrier, as_of.at, as_of.known_at) as parents,
                lateral jsonb_array_elements(
                    case jsonb_typeof(parents.raw->list->'data') when 'array' then parents.raw->list->'data' end
                ) as child
            where jsonb_typeof(child->'id') = 'string';
    end if;
end
$$;
comment on function payment_kit.as_of(text, text, timestamp with time zone, timestamp with time zone) is
'Every object of a kind as it was at a moment of Stripe''s time, deleted ones left out; with known_at as we knew it then. certain is false where states of one second differ in an order SQL cannot tell, and where a list went on at Stripe.';

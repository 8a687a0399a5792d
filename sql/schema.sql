-- The whole schema: the sum of sql/migrations, rendered by `make schema`. Read it, do not edit it.
set check_function_bodies = off;

create schema payment_kit;
create schema stripe;

CREATE OR REPLACE FUNCTION payment_kit.as_of(account text, object text, at timestamp with time zone, known_at timestamp with time zone DEFAULT 'infinity'::timestamp with time zone)
 RETURNS TABLE(id text, source_time timestamp with time zone, source_event text, raw jsonb, certain boolean)
 LANGUAGE plpgsql
 STABLE
 SET jit TO 'off'
AS $function$
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
$function$;

CREATE OR REPLACE FUNCTION payment_kit.carried_by(kind text, OUT parent text, OUT field text)
 RETURNS record
 LANGUAGE sql
 IMMUTABLE
AS $function$
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
$function$;

CREATE OR REPLACE FUNCTION payment_kit.inserted()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
    insert into payment_kit.changes (account_id, object, id, operation, event)
    select account_id, tg_argv[0], id, case when deleted_at is null then 'insert' else 'delete' end, source_event
    from fresh order by id;
    return null;
end
$function$;

CREATE OR REPLACE FUNCTION payment_kit.kept()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
    if coalesce(current_setting('payment_kit.may_change_history', true), '') <> 'yes' then
        raise exception '%.% is append-only: % is refused', tg_table_schema, tg_table_name, lower(tg_op)
        using errcode = 'restrict_violation',
        hint = 'Who has to (erasing a person, emptying a test database) says so in the same transaction: set local payment_kit.may_change_history = ''yes''.';
    end if;
    return null;
end
$function$;

CREATE OR REPLACE FUNCTION payment_kit.replaced()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
    insert into payment_kit.versions (
        account_id, object, id, source_time, source_progress, source_event, raw, api_version, deleted, recorded_at
    )
    values (
        old.account_id, tg_argv[0], old.id, old.source_time, old.source_progress, old.source_event, old.raw,
        old.api_version, old.deleted_at is not null, old.synced_at
    )
    on conflict do nothing;
    insert into payment_kit.changes (account_id, object, id, operation, event, before_event)
    values (
        old.account_id, tg_argv[0], old.id,
        case
            when tg_op = 'DELETE' or new.deleted_at is not null then 'delete'
            when old.deleted_at is not null then 'insert'
            else 'update'
        end,
        case when tg_op = 'DELETE' then old.source_event else new.source_event end, old.source_event
    );
    return null;
end
$function$;

CREATE OR REPLACE FUNCTION payment_kit.states_at(account text, kind text, at timestamp with time zone, known_at timestamp with time zone DEFAULT 'infinity'::timestamp with time zone, ids text[] DEFAULT NULL::text[])
 RETURNS TABLE(id text, source_time timestamp with time zone, source_progress bigint[], source_event text, raw jsonb, api_version text, recorded_at timestamp with time zone, is_row boolean, tied boolean)
 LANGUAGE plpgsql
 STABLE
 SET jit TO 'off'
AS $function$
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
$function$;

CREATE OR REPLACE FUNCTION payment_kit.table_of(kind text)
 RETURNS regclass
 LANGUAGE sql
 STABLE
AS $function$
    select tgrelid::regclass from pg_trigger
    where tgfoid = 'payment_kit.inserted()'::regprocedure and tgargs = convert_to(kind, 'UTF8') || '\x00'::bytea
$function$;

create table payment_kit.accounts (
    account_id text not null,
    livemode boolean not null,
    display_name text,
    first_seen_at timestamp with time zone default now() not null,
    platform text,
    constraint accounts_pkey PRIMARY KEY (account_id)
);

create table payment_kit.audit (
    id bigint generated always as identity not null,
    account_id text not null,
    caller text not null,
    method text not null,
    request_id text not null,
    object_id text not null,
    code text not null,
    times bigint not null,
    at timestamp with time zone default now() not null,
    constraint audit_pkey PRIMARY KEY (id),
    constraint audit_times_check CHECK ((times > 0))
);

create table payment_kit.audit_seals (
    account_id text not null,
    "position" bigint not null,
    audit_id bigint not null,
    hash bytea not null,
    constraint audit_seals_pkey PRIMARY KEY (account_id, "position"),
    constraint audit_seals_audit_id_key UNIQUE (audit_id),
    constraint audit_seals_hash_check CHECK ((octet_length(hash) = 32)),
    constraint audit_seals_position_check CHECK (("position" > 0))
);

create table payment_kit.audit_unsealed (
    id bigint not null,
    constraint audit_unsealed_pkey PRIMARY KEY (id)
);

create table payment_kit.backfill_missed (
    account_id text not null,
    stream text not null,
    id text not null,
    missed_at timestamp with time zone not null,
    constraint backfill_missed_pkey PRIMARY KEY (account_id, stream, id)
);

create table payment_kit.backfill_windows (
    id bigint generated always as identity not null,
    account_id text not null,
    stream text not null,
    listing text not null,
    started_at timestamp with time zone not null,
    created_from timestamp with time zone,
    created_before timestamp with time zone,
    after text default ''::text not null,
    reached_at timestamp with time zone,
    boundary text[] default '{}'::text[],
    objects bigint default 0 not null,
    finished boolean default false not null,
    constraint backfill_windows_pkey PRIMARY KEY (id)
);

create table payment_kit.caller_certificates (
    account_id text not null,
    identity text not null,
    caller text not null,
    created_at timestamp with time zone default now() not null,
    constraint caller_certificates_pkey PRIMARY KEY (account_id, identity)
);

create table payment_kit.caller_keys (
    id text not null,
    account_id text not null,
    caller text not null,
    secret_hash bytea not null,
    created_at timestamp with time zone default now() not null,
    expires_at timestamp with time zone,
    last_used_at timestamp with time zone,
    revoked_at timestamp with time zone,
    constraint caller_keys_pkey PRIMARY KEY (id),
    constraint caller_keys_secret_hash_check CHECK ((octet_length(secret_hash) = 32))
);

create table payment_kit.callers (
    account_id text not null,
    name text not null,
    roles text[] not null,
    calls_per_second double precision,
    max_amounts jsonb default '{}'::jsonb not null,
    created_at timestamp with time zone default now() not null,
    expires_at timestamp with time zone,
    constraint callers_pkey PRIMARY KEY (account_id, name),
    constraint callers_calls_per_second_check CHECK ((calls_per_second > (0)::double precision))
);

create table payment_kit.changes (
    "position" bigint generated always as identity not null,
    account_id text not null,
    object text not null,
    id text not null,
    operation text not null,
    event text not null,
    before_event text,
    recorded_at timestamp with time zone default now() not null,
    constraint changes_pkey PRIMARY KEY ("position")
);

create table payment_kit.followers (
    name text not null,
    cursor text not null,
    updated_at timestamp with time zone default now() not null,
    constraint followers_pkey PRIMARY KEY (name)
);

create table payment_kit.inbox (
    account_id text not null,
    event_id text not null,
    type text not null,
    object_id text,
    created timestamp with time zone not null,
    livemode boolean not null,
    api_version text,
    body bytea not null,
    source text not null,
    deliveries bigint default 1 not null,
    received_at timestamp with time zone default now() not null,
    available_at timestamp with time zone default now() not null,
    attempts bigint default 0 not null,
    applied_at timestamp with time zone,
    outcome text,
    last_error text,
    platform text not null,
    constraint inbox_pkey PRIMARY KEY (account_id, event_id)
);

create table payment_kit.owed (
    platform text not null,
    account_id text not null,
    object text not null,
    id text not null,
    part text default ''::text not null,
    livemode boolean not null,
    reason text not null,
    since timestamp with time zone not null,
    token bigint default 1 not null,
    attempts bigint default 0 not null,
    available_at timestamp with time zone default now() not null,
    last_error text,
    constraint owed_pkey PRIMARY KEY (account_id, object, id, part)
);

create table payment_kit.reads (
    account_id text not null,
    event text not null,
    source_time timestamp with time zone not null,
    api_version text,
    constraint reads_pkey PRIMARY KEY (account_id, event, source_time)
);

create table payment_kit.requests (
    account_id text not null,
    request_id text not null,
    method text not null,
    request_hash bytea not null,
    state text not null,
    locked_until timestamp with time zone not null,
    status_code bigint,
    outcome bytea,
    created_at timestamp with time zone default now() not null,
    finished_at timestamp with time zone,
    attempt bigint default 1 not null,
    constraint requests_pkey PRIMARY KEY (account_id, request_id)
);

create table payment_kit.schema_migrations (
    version integer not null,
    name text not null,
    sha256 text not null,
    applied_at timestamp with time zone default now() not null,
    constraint schema_migrations_pkey PRIMARY KEY (version)
);

create table payment_kit.sync_state (
    account_id text not null,
    stream text not null,
    complete_through timestamp with time zone,
    "position" jsonb default '{}'::jsonb not null,
    objects bigint default 0 not null,
    started_at timestamp with time zone,
    finished_at timestamp with time zone,
    constraint sync_state_pkey PRIMARY KEY (account_id, stream)
);

create table payment_kit.versions (
    account_id text not null,
    object text not null,
    id text not null,
    source_time timestamp with time zone not null,
    source_progress bigint[] not null,
    source_event text not null,
    raw jsonb not null,
    api_version text,
    deleted boolean default false not null,
    recorded_at timestamp with time zone default now() not null,
    constraint versions_pkey PRIMARY KEY (account_id, object, id, source_time, source_event)
);

create table stripe.accounts (
    account_id text not null,
    id text not null,
    livemode boolean not null,
    type text,
    country text,
    email text,
    business_type text,
    default_currency text,
    charges_enabled boolean,
    payouts_enabled boolean,
    details_submitted boolean,
    business_name text,
    metadata jsonb,
    created timestamp with time zone,
    raw jsonb not null,
    digest bytea,
    api_version text,
    source_time timestamp with time zone not null,
    source_progress bigint[] not null,
    source_event text not null,
    deleted_at timestamp with time zone,
    synced_at timestamp with time zone default now() not null,
    constraint accounts_pkey PRIMARY KEY (account_id, id)
);

create table stripe.active_entitlement_summaries (
    account_id text not null,
    id text not null,
    livemode boolean not null,
    customer text,
    raw jsonb not null,
    digest bytea,
    api_version text,
    source_time timestamp with time zone not null,
    source_progress bigint[] not null,
    source_event text not null,
    deleted_at timestamp with time zone,
    synced_at timestamp with time zone default now() not null,
    constraint active_entitlement_summaries_pkey PRIMARY KEY (account_id, id)
);

create table stripe.active_entitlements (
    account_id text not null,
    id text not null,
    livemode boolean not null,
    parent_id text,
    feature text,
    lookup_key text,
    raw jsonb not null,
    digest bytea,
    api_version text,
    source_time timestamp with time zone not null,
    source_progress bigint[] not null,
    source_event text not null,
    deleted_at timestamp with time zone,
    synced_at timestamp with time zone default now() not null,
    constraint active_entitlements_pkey PRIMARY KEY (account_id, id)
);

create table stripe.application_fee_refunds (
    account_id text not null,
    id text not null,
    livemode boolean not null,
    parent_id text,
    amount bigint,
    currency text,
    fee text,
    balance_transaction text,
    metadata jsonb,
    created timestamp with time zone,
    raw jsonb not null,
    digest bytea,
    api_version text,
    source_time timestamp with time zone not null,
    source_progress bigint[] not null,
    source_event text not null,
    deleted_at timestamp with time zone,
    synced_at timestamp with time zone default now() not null,
    constraint application_fee_refunds_pkey PRIMARY KEY (account_id, id)
);

create table stripe.application_fees (
    account_id text not null,
    id text not null,
    livemode boolean not null,
    amount bigint,
    amount_refunded bigint,
    currency text,
    refunded boolean,
    account text,
    application text,
    charge text,
    originating_transaction text,
    balance_transaction text,
    created timestamp with time zone,
    raw jsonb not null,
    digest bytea,
    api_version text,
    source_time timestamp with time zone not null,
    source_progress bigint[] not null,
    source_event text not null,
    deleted_at timestamp with time zone,
    synced_at timestamp with time zone default now() not null,
    constraint application_fees_pkey PRIMARY KEY (account_id, id)
);

create table stripe.balance_transactions (
    account_id text not null,
    id text not null,
    livemode boolean not null,
    amount bigint,
    fee bigint,
    net bigint,
    currency text,
    type text,
    reporting_category text,
    status text,
    source text,
    available_on timestamp with time zone,
    exchange_rate numeric,
    description text,
    balance_type text,
    fee_details jsonb,
    created timestamp with time zone,
    raw jsonb not null,
    api_version text,
    source_time timestamp with time zone not null,
    source_progress bigint[] not null,
    source_event text not null,
    deleted_at timestamp with time zone,
    synced_at timestamp with time zone default now() not null,
    digest bytea,
    constraint balance_transactions_pkey PRIMARY KEY (account_id, id)
);

create table stripe.billing_meters (
    account_id text not null,
    id text not null,
    livemode boolean not null,
    display_name text,
    event_name text,
    status text,
    event_time_window text,
    aggregation text,
    deactivated_at timestamp with time zone,
    created timestamp with time zone,
    updated timestamp with time zone,
    raw jsonb not null,
    digest bytea,
    api_version text,
    source_time timestamp with time zone not null,
    source_progress bigint[] not null,
    source_event text not null,
    deleted_at timestamp with time zone,
    synced_at timestamp with time zone default now() not null,
    constraint billing_meters_pkey PRIMARY KEY (account_id, id)
);

create table stripe.charges (
    account_id text not null,
    id text not null,
    livemode boolean not null,
    amount bigint,
    amount_captured bigint,
    amount_refunded bigint,
    currency text,
    status text,
    paid boolean,
    captured boolean,
    refunded boolean,
    disputed boolean,
    customer text,
    payment_intent text,
    payment_method text,
    balance_transaction text,
    failure_code text,
    failure_message text,
    failure_balance_transaction text,
    outcome_type text,
    outcome_reason text,
    payment_method_type text,
    card_brand text,
    receipt_email text,
    description text,
    statement_descriptor text,
    metadata jsonb,
    created timestamp with time zone,
    raw jsonb not null,
    api_version text,
    source_time timestamp with time zone not null,
    source_progress bigint[] not null,
    source_event text not null,
    deleted_at timestamp with time zone,
    synced_at timestamp with time zone default now() not null,
    application_fee text,
    transfer text,
    digest bytea,
    constraint charges_pkey PRIMARY KEY (account_id, id)
);

create table stripe.checkout_line_items (
    account_id text not null,
    id text not null,
    livemode boolean not null,
    parent_id text,
    price text,
    quantity bigint,
    currency text,
    amount_subtotal bigint,
    amount_discount bigint,
    amount_tax bigint,
    amount_total bigint,
    description text,
    raw jsonb not null,
    digest bytea,
    api_version text,
    source_time timestamp with time zone not null,
    source_progress bigint[] not null,
    source_event text not null,
    deleted_at timestamp with time zone,
    synced_at timestamp with time zone default now() not null,
    constraint checkout_line_items_pkey PRIMARY KEY (account_id, id)
);

create table stripe.checkout_sessions (
    account_id text not null,
    id text not null,
    livemode boolean not null,
    mode text,
    status text,
    payment_status text,
    currency text,
    amount_subtotal bigint,
    amount_total bigint,
    customer text,
    customer_email text,
    customer_details_email text,
    client_reference_id text,
    payment_intent text,
    setup_intent text,
    subscription text,
    invoice text,
    payment_link text,
    expires_at timestamp with time zone,
    metadata jsonb,
    created timestamp with time zone,
    raw jsonb not null,
    digest bytea,
    api_version text,
    source_time timestamp with time zone not null,
    source_progress bigint[] not null,
    source_event text not null,
    deleted_at timestamp with time zone,
    synced_at timestamp with time zone default now() not null,
    constraint checkout_sessions_pkey PRIMARY KEY (account_id, id)
);

create table stripe.coupons (
    account_id text not null,
    id text not null,
    livemode boolean not null,
    name text,
    amount_off bigint,
    currency text,
    percent_off numeric,
    duration text,
    duration_in_months bigint,
    max_redemptions bigint,
    times_redeemed bigint,
    valid boolean,
    redeem_by timestamp with time zone,
    metadata jsonb,
    created timestamp with time zone,
    raw jsonb not null,
    digest bytea,
    api_version text,
    source_time timestamp with time zone not null,
    source_progress bigint[] not null,
    source_event text not null,
    deleted_at timestamp with time zone,
    synced_at timestamp with time zone default now() not null,
    constraint coupons_pkey PRIMARY KEY (account_id, id)
);

create table stripe.credit_note_line_items (
    account_id text not null,
    id text not null,
    livemode boolean not null,
    parent_id text,
    type text,
    amount bigint,
    discount_amount bigint,
    quantity bigint,
    unit_amount bigint,
    unit_amount_decimal numeric,
    description text,
    invoice_line_item text,
    raw jsonb not null,
    digest bytea,
    api_version text,
    source_time timestamp with time zone not null,
    source_progress bigint[] not null,
    source_event text not null,
    deleted_at timestamp with time zone,
    synced_at timestamp with time zone default now() not null,
    constraint credit_note_line_items_pkey PRIMARY KEY (account_id, id)
);

create table stripe.credit_notes (
    account_id text not null,
    id text not null,
    livemode boolean not null,
    number text,
    status text,
    type text,
    reason text,
    customer text,
    invoice text,
    currency text,
    amount bigint,
    subtotal bigint,
    total bigint,
    discount_amount bigint,
    pre_payment_amount bigint,
    post_payment_amount bigint,
    out_of_band_amount bigint,
    customer_balance_transaction text,
    memo text,
    effective_at timestamp with time zone,
    voided_at timestamp with time zone,
    metadata jsonb,
    created timestamp with time zone,
    raw jsonb not null,
    digest bytea,
    api_version text,
    source_time timestamp with time zone not null,
    source_progress bigint[] not null,
    source_event text not null,
    deleted_at timestamp with time zone,
    synced_at timestamp with time zone default now() not null,
    constraint credit_notes_pkey PRIMARY KEY (account_id, id)
);

create table stripe.customer_balance_transactions (
    account_id text not null,
    id text not null,
    livemode boolean not null,
    amount bigint,
    ending_balance bigint,
    currency text,
    type text,
    customer text,
    invoice text,
    credit_note text,
    checkout_session text,
    description text,
    metadata jsonb,
    created timestamp with time zone,
    raw jsonb not null,
    digest bytea,
    api_version text,
    source_time timestamp with time zone not null,
    source_progress bigint[] not null,
    source_event text not null,
    deleted_at timestamp with time zone,
    synced_at timestamp with time zone default now() not null,
    constraint customer_balance_transactions_pkey PRIMARY KEY (account_id, id)
);

create table stripe.customers (
    account_id text not null,
    id text not null,
    livemode boolean not null,
    name text,
    email text,
    phone text,
    description text,
    currency text,
    balance bigint,
    delinquent boolean,
    invoice_prefix text,
    default_payment_method text,
    metadata jsonb,
    created timestamp with time zone,
    raw jsonb not null,
    api_version text,
    source_time timestamp with time zone not null,
    source_progress bigint[] not null,
    source_event text not null,
    deleted_at timestamp with time zone,
    synced_at timestamp with time zone default now() not null,
    tax_exempt text,
    test_clock text,
    digest bytea,
    constraint customers_pkey PRIMARY KEY (account_id, id)
);

create table stripe.discounts (
    account_id text not null,
    id text not null,
    livemode boolean not null,
    coupon text,
    promotion_code text,
    customer text,
    subscription text,
    subscription_item text,
    invoice text,
    invoice_item text,
    checkout_session text,
    starts_at timestamp with time zone,
    ends_at timestamp with time zone,
    raw jsonb not null,
    digest bytea,
    api_version text,
    source_time timestamp with time zone not null,
    source_progress bigint[] not null,
    source_event text not null,
    deleted_at timestamp with time zone,
    synced_at timestamp with time zone default now() not null,
    constraint discounts_pkey PRIMARY KEY (account_id, id)
);

create table stripe.disputes (
    account_id text not null,
    id text not null,
    livemode boolean not null,
    amount bigint,
    currency text,
    status text,
    reason text,
    charge text,
    payment_intent text,
    is_charge_refundable boolean,
    evidence_due_by timestamp with time zone,
    network_reason_code text,
    metadata jsonb,
    created timestamp with time zone,
    raw jsonb not null,
    api_version text,
    source_time timestamp with time zone not null,
    source_progress bigint[] not null,
    source_event text not null,
    deleted_at timestamp with time zone,
    synced_at timestamp with time zone default now() not null,
    digest bytea,
    constraint disputes_pkey PRIMARY KEY (account_id, id)
);

create table stripe.early_fraud_warnings (
    account_id text not null,
    id text not null,
    livemode boolean not null,
    actionable boolean,
    fraud_type text,
    charge text,
    payment_intent text,
    created timestamp with time zone,
    raw jsonb not null,
    digest bytea,
    api_version text,
    source_time timestamp with time zone not null,
    source_progress bigint[] not null,
    source_event text not null,
    deleted_at timestamp with time zone,
    synced_at timestamp with time zone default now() not null,
    constraint early_fraud_warnings_pkey PRIMARY KEY (account_id, id)
);

create table stripe.entitlement_features (
    account_id text not null,
    id text not null,
    livemode boolean not null,
    name text,
    lookup_key text,
    active boolean,
    metadata jsonb,
    raw jsonb not null,
    digest bytea,
    api_version text,
    source_time timestamp with time zone not null,
    source_progress bigint[] not null,
    source_event text not null,
    deleted_at timestamp with time zone,
    synced_at timestamp with time zone default now() not null,
    constraint entitlement_features_pkey PRIMARY KEY (account_id, id)
);

create table stripe.invoice_line_items (
    account_id text not null,
    id text not null,
    livemode boolean not null,
    parent_id text,
    invoice text,
    subscription text,
    amount bigint,
    currency text,
    subtotal bigint,
    quantity bigint,
    quantity_decimal numeric,
    description text,
    discountable boolean,
    price text,
    product text,
    unit_amount_decimal numeric,
    parent_type text,
    subscription_item text,
    invoice_item text,
    period_start timestamp with time zone,
    period_end timestamp with time zone,
    metadata jsonb,
    raw jsonb not null,
    digest bytea,
    api_version text,
    source_time timestamp with time zone not null,
    source_progress bigint[] not null,
    source_event text not null,
    deleted_at timestamp with time zone,
    synced_at timestamp with time zone default now() not null,
    constraint invoice_line_items_pkey PRIMARY KEY (account_id, id)
);

create table stripe.invoice_payments (
    account_id text not null,
    id text not null,
    livemode boolean not null,
    invoice text,
    status text,
    is_default boolean,
    amount_paid bigint,
    amount_requested bigint,
    currency text,
    payment_type text,
    payment_intent text,
    charge text,
    paid_at timestamp with time zone,
    canceled_at timestamp with time zone,
    created timestamp with time zone,
    raw jsonb not null,
    digest bytea,
    api_version text,
    source_time timestamp with time zone not null,
    source_progress bigint[] not null,
    source_event text not null,
    deleted_at timestamp with time zone,
    synced_at timestamp with time zone default now() not null,
    constraint invoice_payments_pkey PRIMARY KEY (account_id, id)
);

create table stripe.invoiceitems (
    account_id text not null,
    id text not null,
    livemode boolean not null,
    customer text,
    invoice text,
    amount bigint,
    net_amount bigint,
    currency text,
    quantity bigint,
    description text,
    discountable boolean,
    proration boolean,
    price text,
    product text,
    subscription text,
    period_start timestamp with time zone,
    period_end timestamp with time zone,
    date timestamp with time zone,
    test_clock text,
    metadata jsonb,
    raw jsonb not null,
    digest bytea,
    api_version text,
    source_time timestamp with time zone not null,
    source_progress bigint[] not null,
    source_event text not null,
    deleted_at timestamp with time zone,
    synced_at timestamp with time zone default now() not null,
    constraint invoiceitems_pkey PRIMARY KEY (account_id, id)
);

create table stripe.invoices (
    account_id text not null,
    id text not null,
    livemode boolean not null,
    number text,
    status text,
    customer text,
    subscription text,
    quote text,
    billing_reason text,
    collection_method text,
    currency text,
    amount_due bigint,
    amount_paid bigint,
    amount_remaining bigint,
    amount_overpaid bigint,
    subtotal bigint,
    subtotal_excluding_tax bigint,
    total bigint,
    total_excluding_tax bigint,
    starting_balance bigint,
    ending_balance bigint,
    pre_payment_credit_notes_amount bigint,
    post_payment_credit_notes_amount bigint,
    attempt_count bigint,
    attempted boolean,
    auto_advance boolean,
    next_payment_attempt timestamp with time zone,
    due_date timestamp with time zone,
    effective_at timestamp with time zone,
    period_start timestamp with time zone,
    period_end timestamp with time zone,
    finalized_at timestamp with time zone,
    paid_at timestamp with time zone,
    voided_at timestamp with time zone,
    marked_uncollectible_at timestamp with time zone,
    default_payment_method text,
    customer_email text,
    customer_name text,
    customer_tax_exempt text,
    test_clock text,
    metadata jsonb,
    created timestamp with time zone,
    raw jsonb not null,
    digest bytea,
    api_version text,
    source_time timestamp with time zone not null,
    source_progress bigint[] not null,
    source_event text not null,
    deleted_at timestamp with time zone,
    synced_at timestamp with time zone default now() not null,
    constraint invoices_pkey PRIMARY KEY (account_id, id)
);

create table stripe.mandates (
    account_id text not null,
    id text not null,
    livemode boolean not null,
    status text,
    type text,
    payment_method text,
    accepted_at timestamp with time zone,
    raw jsonb not null,
    digest bytea,
    api_version text,
    source_time timestamp with time zone not null,
    source_progress bigint[] not null,
    source_event text not null,
    deleted_at timestamp with time zone,
    synced_at timestamp with time zone default now() not null,
    constraint mandates_pkey PRIMARY KEY (account_id, id)
);

create table stripe.payment_intents (
    account_id text not null,
    id text not null,
    livemode boolean not null,
    amount bigint,
    amount_received bigint,
    amount_capturable bigint,
    currency text,
    status text,
    customer text,
    payment_method text,
    latest_charge text,
    capture_method text,
    confirmation_method text,
    setup_future_usage text,
    description text,
    statement_descriptor text,
    receipt_email text,
    cancellation_reason text,
    canceled_at timestamp with time zone,
    last_payment_error_code text,
    last_payment_error_decline_code text,
    metadata jsonb,
    created timestamp with time zone,
    raw jsonb not null,
    api_version text,
    source_time timestamp with time zone not null,
    source_progress bigint[] not null,
    source_event text not null,
    deleted_at timestamp with time zone,
    synced_at timestamp with time zone default now() not null,
    review text,
    digest bytea,
    constraint payment_intents_pkey PRIMARY KEY (account_id, id)
);

create table stripe.payment_links (
    account_id text not null,
    id text not null,
    livemode boolean not null,
    active boolean,
    currency text,
    url text,
    submit_type text,
    customer_creation text,
    metadata jsonb,
    raw jsonb not null,
    digest bytea,
    api_version text,
    source_time timestamp with time zone not null,
    source_progress bigint[] not null,
    source_event text not null,
    deleted_at timestamp with time zone,
    synced_at timestamp with time zone default now() not null,
    constraint payment_links_pkey PRIMARY KEY (account_id, id)
);

create table stripe.payment_methods (
    account_id text not null,
    id text not null,
    livemode boolean not null,
    type text,
    customer text,
    card_brand text,
    card_last4 text,
    card_exp_month bigint,
    card_exp_year bigint,
    card_country text,
    card_funding text,
    card_fingerprint text,
    billing_name text,
    billing_email text,
    metadata jsonb,
    created timestamp with time zone,
    raw jsonb not null,
    api_version text,
    source_time timestamp with time zone not null,
    source_progress bigint[] not null,
    source_event text not null,
    deleted_at timestamp with time zone,
    synced_at timestamp with time zone default now() not null,
    digest bytea,
    constraint payment_methods_pkey PRIMARY KEY (account_id, id)
);

create table stripe.payout_balance_transactions (
    account_id text not null,
    payout_id text not null,
    balance_transaction_id text not null,
    constraint payout_balance_transactions_pkey PRIMARY KEY (account_id, payout_id, balance_transaction_id)
);

create table stripe.payout_itemisations (
    account_id text not null,
    payout_id text not null,
    items bigint not null,
    itemised_at timestamp with time zone default now() not null,
    constraint payout_itemisations_pkey PRIMARY KEY (account_id, payout_id)
);

create table stripe.payouts (
    account_id text not null,
    id text not null,
    livemode boolean not null,
    amount bigint,
    currency text,
    status text,
    type text,
    method text,
    automatic boolean,
    arrival_date timestamp with time zone,
    balance_transaction text,
    failure_balance_transaction text,
    failure_code text,
    failure_message text,
    reconciliation_status text,
    destination text,
    original_payout text,
    reversed_by text,
    statement_descriptor text,
    trace_id text,
    metadata jsonb,
    created timestamp with time zone,
    raw jsonb not null,
    api_version text,
    source_time timestamp with time zone not null,
    source_progress bigint[] not null,
    source_event text not null,
    deleted_at timestamp with time zone,
    synced_at timestamp with time zone default now() not null,
    digest bytea,
    constraint payouts_pkey PRIMARY KEY (account_id, id)
);

create table stripe.prices (
    account_id text not null,
    id text not null,
    livemode boolean not null,
    product text,
    active boolean,
    currency text,
    unit_amount bigint,
    unit_amount_decimal numeric,
    type text,
    billing_scheme text,
    recurring_interval text,
    recurring_interval_count bigint,
    lookup_key text,
    nickname text,
    metadata jsonb,
    created timestamp with time zone,
    raw jsonb not null,
    api_version text,
    source_time timestamp with time zone not null,
    source_progress bigint[] not null,
    source_event text not null,
    deleted_at timestamp with time zone,
    synced_at timestamp with time zone default now() not null,
    digest bytea,
    constraint prices_pkey PRIMARY KEY (account_id, id)
);

create table stripe.products (
    account_id text not null,
    id text not null,
    livemode boolean not null,
    name text,
    description text,
    active boolean,
    default_price text,
    unit_label text,
    tax_code text,
    metadata jsonb,
    created timestamp with time zone,
    updated timestamp with time zone,
    raw jsonb not null,
    api_version text,
    source_time timestamp with time zone not null,
    source_progress bigint[] not null,
    source_event text not null,
    deleted_at timestamp with time zone,
    synced_at timestamp with time zone default now() not null,
    digest bytea,
    constraint products_pkey PRIMARY KEY (account_id, id)
);

create table stripe.promotion_codes (
    account_id text not null,
    id text not null,
    livemode boolean not null,
    code text,
    coupon text,
    active boolean,
    customer text,
    expires_at timestamp with time zone,
    max_redemptions bigint,
    times_redeemed bigint,
    metadata jsonb,
    created timestamp with time zone,
    raw jsonb not null,
    digest bytea,
    api_version text,
    source_time timestamp with time zone not null,
    source_progress bigint[] not null,
    source_event text not null,
    deleted_at timestamp with time zone,
    synced_at timestamp with time zone default now() not null,
    constraint promotion_codes_pkey PRIMARY KEY (account_id, id)
);

create table stripe.quotes (
    account_id text not null,
    id text not null,
    livemode boolean not null,
    number text,
    status text,
    customer text,
    currency text,
    amount_subtotal bigint,
    amount_total bigint,
    collection_method text,
    invoice text,
    subscription text,
    subscription_schedule text,
    from_quote text,
    accepted_at timestamp with time zone,
    finalized_at timestamp with time zone,
    canceled_at timestamp with time zone,
    expires_at timestamp with time zone,
    description text,
    header text,
    footer text,
    test_clock text,
    metadata jsonb,
    created timestamp with time zone,
    raw jsonb not null,
    digest bytea,
    api_version text,
    source_time timestamp with time zone not null,
    source_progress bigint[] not null,
    source_event text not null,
    deleted_at timestamp with time zone,
    synced_at timestamp with time zone default now() not null,
    constraint quotes_pkey PRIMARY KEY (account_id, id)
);

create table stripe.refunds (
    account_id text not null,
    id text not null,
    livemode boolean not null,
    amount bigint,
    currency text,
    status text,
    reason text,
    charge text,
    payment_intent text,
    balance_transaction text,
    failure_reason text,
    failure_balance_transaction text,
    pending_reason text,
    metadata jsonb,
    created timestamp with time zone,
    raw jsonb not null,
    api_version text,
    source_time timestamp with time zone not null,
    source_progress bigint[] not null,
    source_event text not null,
    deleted_at timestamp with time zone,
    synced_at timestamp with time zone default now() not null,
    digest bytea,
    constraint refunds_pkey PRIMARY KEY (account_id, id)
);

create table stripe.reviews (
    account_id text not null,
    id text not null,
    livemode boolean not null,
    open boolean,
    reason text,
    opened_reason text,
    closed_reason text,
    charge text,
    payment_intent text,
    created timestamp with time zone,
    raw jsonb not null,
    digest bytea,
    api_version text,
    source_time timestamp with time zone not null,
    source_progress bigint[] not null,
    source_event text not null,
    deleted_at timestamp with time zone,
    synced_at timestamp with time zone default now() not null,
    constraint reviews_pkey PRIMARY KEY (account_id, id)
);

create table stripe.setup_attempts (
    account_id text not null,
    id text not null,
    livemode boolean not null,
    status text,
    usage text,
    setup_intent text,
    customer text,
    payment_method text,
    setup_error_code text,
    created timestamp with time zone,
    raw jsonb not null,
    digest bytea,
    api_version text,
    source_time timestamp with time zone not null,
    source_progress bigint[] not null,
    source_event text not null,
    deleted_at timestamp with time zone,
    synced_at timestamp with time zone default now() not null,
    constraint setup_attempts_pkey PRIMARY KEY (account_id, id)
);

create table stripe.setup_intents (
    account_id text not null,
    id text not null,
    livemode boolean not null,
    status text,
    usage text,
    customer text,
    payment_method text,
    latest_attempt text,
    mandate text,
    single_use_mandate text,
    description text,
    cancellation_reason text,
    last_setup_error_code text,
    metadata jsonb,
    created timestamp with time zone,
    raw jsonb not null,
    digest bytea,
    api_version text,
    source_time timestamp with time zone not null,
    source_progress bigint[] not null,
    source_event text not null,
    deleted_at timestamp with time zone,
    synced_at timestamp with time zone default now() not null,
    constraint setup_intents_pkey PRIMARY KEY (account_id, id)
);

create table stripe.subscription_items (
    account_id text not null,
    id text not null,
    livemode boolean not null,
    parent_id text,
    subscription text,
    price text,
    quantity bigint,
    current_period_start timestamp with time zone,
    current_period_end timestamp with time zone,
    metadata jsonb,
    created timestamp with time zone,
    raw jsonb not null,
    digest bytea,
    api_version text,
    source_time timestamp with time zone not null,
    source_progress bigint[] not null,
    source_event text not null,
    deleted_at timestamp with time zone,
    synced_at timestamp with time zone default now() not null,
    constraint subscription_items_pkey PRIMARY KEY (account_id, id)
);

create table stripe.subscription_schedules (
    account_id text not null,
    id text not null,
    livemode boolean not null,
    status text,
    customer text,
    subscription text,
    end_behavior text,
    released_subscription text,
    canceled_at timestamp with time zone,
    completed_at timestamp with time zone,
    released_at timestamp with time zone,
    test_clock text,
    metadata jsonb,
    created timestamp with time zone,
    raw jsonb not null,
    digest bytea,
    api_version text,
    source_time timestamp with time zone not null,
    source_progress bigint[] not null,
    source_event text not null,
    deleted_at timestamp with time zone,
    synced_at timestamp with time zone default now() not null,
    constraint subscription_schedules_pkey PRIMARY KEY (account_id, id)
);

create table stripe.subscriptions (
    account_id text not null,
    id text not null,
    livemode boolean not null,
    status text,
    customer text,
    currency text,
    collection_method text,
    default_payment_method text,
    latest_invoice text,
    pending_setup_intent text,
    schedule text,
    cancel_at timestamp with time zone,
    cancel_at_period_end boolean,
    canceled_at timestamp with time zone,
    ended_at timestamp with time zone,
    start_date timestamp with time zone,
    trial_start timestamp with time zone,
    trial_end timestamp with time zone,
    billing_cycle_anchor timestamp with time zone,
    days_until_due bigint,
    description text,
    test_clock text,
    metadata jsonb,
    created timestamp with time zone,
    raw jsonb not null,
    digest bytea,
    api_version text,
    source_time timestamp with time zone not null,
    source_progress bigint[] not null,
    source_event text not null,
    deleted_at timestamp with time zone,
    synced_at timestamp with time zone default now() not null,
    constraint subscriptions_pkey PRIMARY KEY (account_id, id)
);

create table stripe.tax_ids (
    account_id text not null,
    id text not null,
    livemode boolean not null,
    type text,
    value text,
    country text,
    customer text,
    owner_type text,
    verification_status text,
    verified_name text,
    created timestamp with time zone,
    raw jsonb not null,
    digest bytea,
    api_version text,
    source_time timestamp with time zone not null,
    source_progress bigint[] not null,
    source_event text not null,
    deleted_at timestamp with time zone,
    synced_at timestamp with time zone default now() not null,
    constraint tax_ids_pkey PRIMARY KEY (account_id, id)
);

create table stripe.tax_rates (
    account_id text not null,
    id text not null,
    livemode boolean not null,
    display_name text,
    description text,
    percentage numeric,
    inclusive boolean,
    active boolean,
    country text,
    state text,
    jurisdiction text,
    tax_type text,
    metadata jsonb,
    created timestamp with time zone,
    raw jsonb not null,
    digest bytea,
    api_version text,
    source_time timestamp with time zone not null,
    source_progress bigint[] not null,
    source_event text not null,
    deleted_at timestamp with time zone,
    synced_at timestamp with time zone default now() not null,
    constraint tax_rates_pkey PRIMARY KEY (account_id, id)
);

create table stripe.test_clocks (
    account_id text not null,
    id text not null,
    livemode boolean not null,
    name text,
    status text,
    frozen_time timestamp with time zone,
    deletes_after timestamp with time zone,
    created timestamp with time zone,
    raw jsonb not null,
    digest bytea,
    api_version text,
    source_time timestamp with time zone not null,
    source_progress bigint[] not null,
    source_event text not null,
    deleted_at timestamp with time zone,
    synced_at timestamp with time zone default now() not null,
    constraint test_clocks_pkey PRIMARY KEY (account_id, id)
);

create table stripe.topups (
    account_id text not null,
    id text not null,
    livemode boolean not null,
    amount bigint,
    currency text,
    status text,
    description text,
    balance_transaction text,
    failure_code text,
    failure_message text,
    statement_descriptor text,
    transfer_group text,
    metadata jsonb,
    created timestamp with time zone,
    raw jsonb not null,
    digest bytea,
    api_version text,
    source_time timestamp with time zone not null,
    source_progress bigint[] not null,
    source_event text not null,
    deleted_at timestamp with time zone,
    synced_at timestamp with time zone default now() not null,
    constraint topups_pkey PRIMARY KEY (account_id, id)
);

create table stripe.transfer_reversals (
    account_id text not null,
    id text not null,
    livemode boolean not null,
    parent_id text,
    amount bigint,
    currency text,
    transfer text,
    balance_transaction text,
    destination_payment_refund text,
    source_refund text,
    metadata jsonb,
    created timestamp with time zone,
    raw jsonb not null,
    digest bytea,
    api_version text,
    source_time timestamp with time zone not null,
    source_progress bigint[] not null,
    source_event text not null,
    deleted_at timestamp with time zone,
    synced_at timestamp with time zone default now() not null,
    constraint transfer_reversals_pkey PRIMARY KEY (account_id, id)
);

create table stripe.transfers (
    account_id text not null,
    id text not null,
    livemode boolean not null,
    amount bigint,
    amount_reversed bigint,
    currency text,
    reversed boolean,
    destination text,
    destination_payment text,
    source_transaction text,
    source_type text,
    balance_transaction text,
    transfer_group text,
    description text,
    metadata jsonb,
    created timestamp with time zone,
    raw jsonb not null,
    digest bytea,
    api_version text,
    source_time timestamp with time zone not null,
    source_progress bigint[] not null,
    source_event text not null,
    deleted_at timestamp with time zone,
    synced_at timestamp with time zone default now() not null,
    constraint transfers_pkey PRIMARY KEY (account_id, id)
);

alter table payment_kit.caller_certificates add constraint caller_certificates_account_id_caller_fkey FOREIGN KEY (account_id, caller) REFERENCES payment_kit.callers(account_id, name);
alter table payment_kit.caller_keys add constraint caller_keys_account_id_caller_fkey FOREIGN KEY (account_id, caller) REFERENCES payment_kit.callers(account_id, name);

CREATE INDEX backfill_windows_stream ON payment_kit.backfill_windows USING btree (account_id, stream);
CREATE INDEX caller_keys_caller ON payment_kit.caller_keys USING btree (account_id, caller);
CREATE INDEX changes_of_object ON payment_kit.changes USING btree (account_id, object, id, "position");
CREATE INDEX inbox_created ON payment_kit.inbox USING btree (account_id, created);
CREATE INDEX inbox_waiting ON payment_kit.inbox USING btree (platform, available_at) WHERE (outcome IS NULL);
CREATE INDEX owed_waiting ON payment_kit.owed USING btree (platform, available_at);
CREATE INDEX requests_created ON payment_kit.requests USING btree (created_at);
CREATE INDEX accounts_created ON stripe.accounts USING btree (account_id, created);
CREATE INDEX active_entitlements_parent_id ON stripe.active_entitlements USING btree (account_id, parent_id);
CREATE INDEX application_fee_refunds_parent_id ON stripe.application_fee_refunds USING btree (account_id, parent_id);
CREATE INDEX application_fees_charge ON stripe.application_fees USING btree (account_id, charge);
CREATE INDEX application_fees_created ON stripe.application_fees USING btree (account_id, created);
CREATE INDEX balance_transactions_created ON stripe.balance_transactions USING btree (account_id, created);
CREATE INDEX balance_transactions_source ON stripe.balance_transactions USING btree (account_id, source);
CREATE INDEX charges_created ON stripe.charges USING btree (account_id, created);
CREATE INDEX charges_customer ON stripe.charges USING btree (account_id, customer);
CREATE INDEX charges_payment_intent ON stripe.charges USING btree (account_id, payment_intent);
CREATE INDEX checkout_line_items_parent_id ON stripe.checkout_line_items USING btree (account_id, parent_id);
CREATE INDEX checkout_sessions_created ON stripe.checkout_sessions USING btree (account_id, created);
CREATE INDEX checkout_sessions_customer ON stripe.checkout_sessions USING btree (account_id, customer);
CREATE INDEX checkout_sessions_payment_intent ON stripe.checkout_sessions USING btree (account_id, payment_intent);
CREATE INDEX coupons_created ON stripe.coupons USING btree (account_id, created);
CREATE INDEX credit_note_line_items_parent_id ON stripe.credit_note_line_items USING btree (account_id, parent_id);
CREATE INDEX credit_notes_created ON stripe.credit_notes USING btree (account_id, created);
CREATE INDEX credit_notes_invoice ON stripe.credit_notes USING btree (account_id, invoice);
CREATE INDEX customer_balance_transactions_customer ON stripe.customer_balance_transactions USING btree (account_id, customer);
CREATE INDEX customers_email ON stripe.customers USING btree (account_id, email);
CREATE INDEX customers_listed ON stripe.customers USING btree (account_id, created DESC, id DESC);
CREATE INDEX discounts_customer ON stripe.discounts USING btree (account_id, customer);
CREATE INDEX disputes_charge ON stripe.disputes USING btree (account_id, charge);
CREATE INDEX disputes_created ON stripe.disputes USING btree (account_id, created);
CREATE INDEX early_fraud_warnings_charge ON stripe.early_fraud_warnings USING btree (account_id, charge);
CREATE INDEX early_fraud_warnings_created ON stripe.early_fraud_warnings USING btree (account_id, created);
CREATE INDEX invoice_line_items_parent_id ON stripe.invoice_line_items USING btree (account_id, parent_id);
CREATE INDEX invoice_payments_created ON stripe.invoice_payments USING btree (account_id, created);
CREATE INDEX invoice_payments_invoice ON stripe.invoice_payments USING btree (account_id, invoice);
CREATE INDEX invoice_payments_payment_intent ON stripe.invoice_payments USING btree (account_id, payment_intent);
CREATE INDEX invoiceitems_customer ON stripe.invoiceitems USING btree (account_id, customer);
CREATE INDEX invoiceitems_date ON stripe.invoiceitems USING btree (account_id, date);
CREATE INDEX invoiceitems_invoice ON stripe.invoiceitems USING btree (account_id, invoice);
CREATE INDEX invoices_created ON stripe.invoices USING btree (account_id, created);
CREATE INDEX invoices_customer ON stripe.invoices USING btree (account_id, customer);
CREATE INDEX invoices_subscription ON stripe.invoices USING btree (account_id, subscription);
CREATE INDEX payment_intents_created ON stripe.payment_intents USING btree (account_id, created);
CREATE INDEX payment_intents_customer ON stripe.payment_intents USING btree (account_id, customer);
CREATE INDEX payment_methods_customer ON stripe.payment_methods USING btree (account_id, customer);
CREATE INDEX payment_methods_listed ON stripe.payment_methods USING btree (account_id, created DESC, id DESC);
CREATE INDEX payout_balance_transactions_transaction ON stripe.payout_balance_transactions USING btree (account_id, balance_transaction_id);
CREATE INDEX payouts_created ON stripe.payouts USING btree (account_id, created);
CREATE INDEX prices_listed ON stripe.prices USING btree (account_id, created DESC, id DESC);
CREATE INDEX prices_product ON stripe.prices USING btree (account_id, product);
CREATE INDEX products_listed ON stripe.products USING btree (account_id, created DESC, id DESC);
CREATE INDEX promotion_codes_coupon ON stripe.promotion_codes USING btree (account_id, coupon);
CREATE INDEX promotion_codes_created ON stripe.promotion_codes USING btree (account_id, created);
CREATE INDEX quotes_customer ON stripe.quotes USING btree (account_id, customer);
CREATE INDEX refunds_charge ON stripe.refunds USING btree (account_id, charge);
CREATE INDEX refunds_created ON stripe.refunds USING btree (account_id, created);
CREATE INDEX refunds_payment_intent ON stripe.refunds USING btree (account_id, payment_intent);
CREATE INDEX reviews_charge ON stripe.reviews USING btree (account_id, charge);
CREATE INDEX reviews_created ON stripe.reviews USING btree (account_id, created);
CREATE INDEX setup_attempts_setup_intent ON stripe.setup_attempts USING btree (account_id, setup_intent);
CREATE INDEX setup_intents_created ON stripe.setup_intents USING btree (account_id, created);
CREATE INDEX setup_intents_customer ON stripe.setup_intents USING btree (account_id, customer);
CREATE INDEX subscription_items_parent_id ON stripe.subscription_items USING btree (account_id, parent_id);
CREATE INDEX subscription_items_price ON stripe.subscription_items USING btree (account_id, price);
CREATE INDEX subscription_schedules_created ON stripe.subscription_schedules USING btree (account_id, created);
CREATE INDEX subscription_schedules_subscription ON stripe.subscription_schedules USING btree (account_id, subscription);
CREATE INDEX subscriptions_created ON stripe.subscriptions USING btree (account_id, created);
CREATE INDEX subscriptions_customer ON stripe.subscriptions USING btree (account_id, customer);
CREATE INDEX tax_ids_customer ON stripe.tax_ids USING btree (account_id, customer);
CREATE INDEX tax_rates_created ON stripe.tax_rates USING btree (account_id, created);
CREATE INDEX topups_created ON stripe.topups USING btree (account_id, created);
CREATE INDEX transfer_reversals_parent_id ON stripe.transfer_reversals USING btree (account_id, parent_id);
CREATE INDEX transfers_created ON stripe.transfers USING btree (account_id, created);
CREATE INDEX transfers_destination ON stripe.transfers USING btree (account_id, destination);

create view stripe.events with (security_invoker=true) as
 SELECT account_id,
    event_id AS id,
    type,
    created,
    livemode,
    api_version,
    object_id,
    (convert_from(body, 'UTF8'::name))::jsonb AS raw,
    received_at,
    applied_at,
    outcome
   FROM payment_kit.inbox;

CREATE TRIGGER audit_kept BEFORE DELETE OR UPDATE OR TRUNCATE ON payment_kit.audit FOR EACH STATEMENT EXECUTE FUNCTION payment_kit.kept();
CREATE TRIGGER audit_seals_kept BEFORE DELETE OR UPDATE OR TRUNCATE ON payment_kit.audit_seals FOR EACH STATEMENT EXECUTE FUNCTION payment_kit.kept();
CREATE TRIGGER versions_kept BEFORE DELETE OR UPDATE OR TRUNCATE ON payment_kit.versions FOR EACH STATEMENT EXECUTE FUNCTION payment_kit.kept();
CREATE TRIGGER accounts_inserted AFTER INSERT ON stripe.accounts REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION payment_kit.inserted('account');
CREATE TRIGGER accounts_removed AFTER DELETE ON stripe.accounts FOR EACH ROW EXECUTE FUNCTION payment_kit.replaced('account');
CREATE TRIGGER accounts_updated AFTER UPDATE ON stripe.accounts FOR EACH ROW EXECUTE FUNCTION payment_kit.replaced('account');
CREATE TRIGGER active_entitlement_summaries_inserted AFTER INSERT ON stripe.active_entitlement_summaries REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION payment_kit.inserted('entitlements.active_entitlement_summary');
CREATE TRIGGER active_entitlement_summaries_removed AFTER DELETE ON stripe.active_entitlement_summaries FOR EACH ROW EXECUTE FUNCTION payment_kit.replaced('entitlements.active_entitlement_summary');
CREATE TRIGGER active_entitlement_summaries_updated AFTER UPDATE ON stripe.active_entitlement_summaries FOR EACH ROW EXECUTE FUNCTION payment_kit.replaced('entitlements.active_entitlement_summary');
CREATE TRIGGER active_entitlements_inserted AFTER INSERT ON stripe.active_entitlements REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION payment_kit.inserted('entitlements.active_entitlement');
CREATE TRIGGER active_entitlements_removed AFTER DELETE ON stripe.active_entitlements FOR EACH ROW EXECUTE FUNCTION payment_kit.replaced('entitlements.active_entitlement');
CREATE TRIGGER active_entitlements_updated AFTER UPDATE ON stripe.active_entitlements FOR EACH ROW EXECUTE FUNCTION payment_kit.replaced('entitlements.active_entitlement');
CREATE TRIGGER application_fee_refunds_inserted AFTER INSERT ON stripe.application_fee_refunds REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION payment_kit.inserted('fee_refund');
CREATE TRIGGER application_fee_refunds_removed AFTER DELETE ON stripe.application_fee_refunds FOR EACH ROW EXECUTE FUNCTION payment_kit.replaced('fee_refund');
CREATE TRIGGER application_fee_refunds_updated AFTER UPDATE ON stripe.application_fee_refunds FOR EACH ROW EXECUTE FUNCTION payment_kit.replaced('fee_refund');
CREATE TRIGGER application_fees_inserted AFTER INSERT ON stripe.application_fees REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION payment_kit.inserted('application_fee');
CREATE TRIGGER application_fees_removed AFTER DELETE ON stripe.application_fees FOR EACH ROW EXECUTE FUNCTION payment_kit.replaced('application_fee');
CREATE TRIGGER application_fees_updated AFTER UPDATE ON stripe.application_fees FOR EACH ROW EXECUTE FUNCTION payment_kit.replaced('application_fee');
CREATE TRIGGER balance_transactions_inserted AFTER INSERT ON stripe.balance_transactions REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION payment_kit.inserted('balance_transaction');
CREATE TRIGGER balance_transactions_removed AFTER DELETE ON stripe.balance_transactions FOR EACH ROW EXECUTE FUNCTION payment_kit.replaced('balance_transaction');
CREATE TRIGGER balance_transactions_updated AFTER UPDATE ON stripe.balance_transactions FOR EACH ROW EXECUTE FUNCTION payment_kit.replaced('balance_transaction');
CREATE TRIGGER billing_meters_inserted AFTER INSERT ON stripe.billing_meters REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION payment_kit.inserted('billing.meter');
CREATE TRIGGER billing_meters_removed AFTER DELETE ON stripe.billing_meters FOR EACH ROW EXECUTE FUNCTION payment_kit.replaced('billing.meter');
CREATE TRIGGER billing_meters_updated AFTER UPDATE ON stripe.billing_meters FOR EACH ROW EXECUTE FUNCTION payment_kit.replaced('billing.meter');
CREATE TRIGGER charges_inserted AFTER INSERT ON stripe.charges REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION payment_kit.inserted('charge');
CREATE TRIGGER charges_removed AFTER DELETE ON stripe.charges FOR EACH ROW EXECUTE FUNCTION payment_kit.replaced('charge');
CREATE TRIGGER charges_updated AFTER UPDATE ON stripe.charges FOR EACH ROW EXECUTE FUNCTION payment_kit.replaced('charge');
CREATE TRIGGER checkout_line_items_inserted AFTER INSERT ON stripe.checkout_line_items REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION payment_kit.inserted('item');
CREATE TRIGGER checkout_line_items_removed AFTER DELETE ON stripe.checkout_line_items FOR EACH ROW EXECUTE FUNCTION payment_kit.replaced('item');
CREATE TRIGGER checkout_line_items_updated AFTER UPDATE ON stripe.checkout_line_items FOR EACH ROW EXECUTE FUNCTION payment_kit.replaced('item');
CREATE TRIGGER checkout_sessions_inserted AFTER INSERT ON stripe.checkout_sessions REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION payment_kit.inserted('checkout.session');
CREATE TRIGGER checkout_sessions_removed AFTER DELETE ON stripe.checkout_sessions FOR EACH ROW EXECUTE FUNCTION payment_kit.replaced('checkout.session');
CREATE TRIGGER checkout_sessions_updated AFTER UPDATE ON stripe.checkout_sessions FOR EACH ROW EXECUTE FUNCTION payment_kit.replaced('checkout.session');
CREATE TRIGGER coupons_inserted AFTER INSERT ON stripe.coupons REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION payment_kit.inserted('coupon');
CREATE TRIGGER coupons_removed AFTER DELETE ON stripe.coupons FOR EACH ROW EXECUTE FUNCTION payment_kit.replaced('coupon');
CREATE TRIGGER coupons_updated AFTER UPDATE ON stripe.coupons FOR EACH ROW EXECUTE FUNCTION payment_kit.replaced('coupon');
CREATE TRIGGER credit_note_line_items_inserted AFTER INSERT ON stripe.credit_note_line_items REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION payment_kit.inserted('credit_note_line_item');
CREATE TRIGGER credit_note_line_items_removed AFTER DELETE ON stripe.credit_note_line_items FOR EACH ROW EXECUTE FUNCTION payment_kit.replaced('credit_note_line_item');
CREATE TRIGGER credit_note_line_items_updated AFTER UPDATE ON stripe.credit_note_line_items FOR EACH ROW EXECUTE FUNCTION payment_kit.replaced('credit_note_line_item');
CREATE TRIGGER credit_notes_inserted AFTER INSERT ON stripe.credit_notes REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION payment_kit.inserted('credit_note');
CREATE TRIGGER credit_notes_removed AFTER DELETE ON stripe.credit_notes FOR EACH ROW EXECUTE FUNCTION payment_kit.replaced('credit_note');
CREATE TRIGGER credit_notes_updated AFTER UPDATE ON stripe.credit_notes FOR EACH ROW EXECUTE FUNCTION payment_kit.replaced('credit_note');
CREATE TRIGGER customer_balance_transactions_inserted AFTER INSERT ON stripe.customer_balance_transactions REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION payment_kit.inserted('customer_balance_transaction');
CREATE TRIGGER customer_balance_transactions_removed AFTER DELETE ON stripe.customer_balance_transactions FOR EACH ROW EXECUTE FUNCTION payment_kit.replaced('customer_balance_transaction');
CREATE TRIGGER customer_balance_transactions_updated AFTER UPDATE ON stripe.customer_balance_transactions FOR EACH ROW EXECUTE FUNCTION payment_kit.replaced('customer_balance_transaction');
CREATE TRIGGER customers_inserted AFTER INSERT ON stripe.customers REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION payment_kit.inserted('customer');
CREATE TRIGGER customers_removed AFTER DELETE ON stripe.customers FOR EACH ROW EXECUTE FUNCTION payment_kit.replaced('customer');
CREATE TRIGGER customers_updated AFTER UPDATE ON stripe.customers FOR EACH ROW EXECUTE FUNCTION payment_kit.replaced('customer');
CREATE TRIGGER discounts_inserted AFTER INSERT ON stripe.discounts REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION payment_kit.inserted('discount');
CREATE TRIGGER discounts_removed AFTER DELETE ON stripe.discounts FOR EACH ROW EXECUTE FUNCTION payment_kit.replaced('discount');
CREATE TRIGGER discounts_updated AFTER UPDATE ON stripe.discounts FOR EACH ROW EXECUTE FUNCTION payment_kit.replaced('discount');
CREATE TRIGGER disputes_inserted AFTER INSERT ON stripe.disputes REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION payment_kit.inserted('dispute');
CREATE TRIGGER disputes_removed AFTER DELETE ON stripe.disputes FOR EACH ROW EXECUTE FUNCTION payment_kit.replaced('dispute');
CREATE TRIGGER disputes_updated AFTER UPDATE ON stripe.disputes FOR EACH ROW EXECUTE FUNCTION payment_kit.replaced('dispute');
CREATE TRIGGER early_fraud_warnings_inserted AFTER INSERT ON stripe.early_fraud_warnings REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION payment_kit.inserted('radar.early_fraud_warning');
CREATE TRIGGER early_fraud_warnings_removed AFTER DELETE ON stripe.early_fraud_warnings FOR EACH ROW EXECUTE FUNCTION payment_kit.replaced('radar.early_fraud_warning');
CREATE TRIGGER early_fraud_warnings_updated AFTER UPDATE ON stripe.early_fraud_warnings FOR EACH ROW EXECUTE FUNCTION payment_kit.replaced('radar.early_fraud_warning');
CREATE TRIGGER entitlement_features_inserted AFTER INSERT ON stripe.entitlement_features REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION payment_kit.inserted('entitlements.feature');
CREATE TRIGGER entitlement_features_removed AFTER DELETE ON stripe.entitlement_features FOR EACH ROW EXECUTE FUNCTION payment_kit.replaced('entitlements.feature');
CREATE TRIGGER entitlement_features_updated AFTER UPDATE ON stripe.entitlement_features FOR EACH ROW EXECUTE FUNCTION payment_kit.replaced('entitlements.feature');
CREATE TRIGGER invoice_line_items_inserted AFTER INSERT ON stripe.invoice_line_items REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION payment_kit.inserted('line_item');
CREATE TRIGGER invoice_line_items_removed AFTER DELETE ON stripe.invoice_line_items FOR EACH ROW EXECUTE FUNCTION payment_kit.replaced('line_item');
CREATE TRIGGER invoice_line_items_updated AFTER UPDATE ON stripe.invoice_line_items FOR EACH ROW EXECUTE FUNCTION payment_kit.replaced('line_item');
CREATE TRIGGER invoice_payments_inserted AFTER INSERT ON stripe.invoice_payments REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION payment_kit.inserted('invoice_payment');
CREATE TRIGGER invoice_payments_removed AFTER DELETE ON stripe.invoice_payments FOR EACH ROW EXECUTE FUNCTION payment_kit.replaced('invoice_payment');
CREATE TRIGGER invoice_payments_updated AFTER UPDATE ON stripe.invoice_payments FOR EACH ROW EXECUTE FUNCTION payment_kit.replaced('invoice_payment');
CREATE TRIGGER invoiceitems_inserted AFTER INSERT ON stripe.invoiceitems REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION payment_kit.inserted('invoiceitem');
CREATE TRIGGER invoiceitems_removed AFTER DELETE ON stripe.invoiceitems FOR EACH ROW EXECUTE FUNCTION payment_kit.replaced('invoiceitem');
CREATE TRIGGER invoiceitems_updated AFTER UPDATE ON stripe.invoiceitems FOR EACH ROW EXECUTE FUNCTION payment_kit.replaced('invoiceitem');
CREATE TRIGGER invoices_inserted AFTER INSERT ON stripe.invoices REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION payment_kit.inserted('invoice');
CREATE TRIGGER invoices_removed AFTER DELETE ON stripe.invoices FOR EACH ROW EXECUTE FUNCTION payment_kit.replaced('invoice');
CREATE TRIGGER invoices_updated AFTER UPDATE ON stripe.invoices FOR EACH ROW EXECUTE FUNCTION payment_kit.replaced('invoice');
CREATE TRIGGER mandates_inserted AFTER INSERT ON stripe.mandates REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION payment_kit.inserted('mandate');
CREATE TRIGGER mandates_removed AFTER DELETE ON stripe.mandates FOR EACH ROW EXECUTE FUNCTION payment_kit.replaced('mandate');
CREATE TRIGGER mandates_updated AFTER UPDATE ON stripe.mandates FOR EACH ROW EXECUTE FUNCTION payment_kit.replaced('mandate');
CREATE TRIGGER payment_intents_inserted AFTER INSERT ON stripe.payment_intents REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION payment_kit.inserted('payment_intent');
CREATE TRIGGER payment_intents_removed AFTER DELETE ON stripe.payment_intents FOR EACH ROW EXECUTE FUNCTION payment_kit.replaced('payment_intent');
CREATE TRIGGER payment_intents_updated AFTER UPDATE ON stripe.payment_intents FOR EACH ROW EXECUTE FUNCTION payment_kit.replaced('payment_intent');
CREATE TRIGGER payment_links_inserted AFTER INSERT ON stripe.payment_links REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION payment_kit.inserted('payment_link');
CREATE TRIGGER payment_links_removed AFTER DELETE ON stripe.payment_links FOR EACH ROW EXECUTE FUNCTION payment_kit.replaced('payment_link');
CREATE TRIGGER payment_links_updated AFTER UPDATE ON stripe.payment_links FOR EACH ROW EXECUTE FUNCTION payment_kit.replaced('payment_link');
CREATE TRIGGER payment_methods_inserted AFTER INSERT ON stripe.payment_methods REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION payment_kit.inserted('payment_method');
CREATE TRIGGER payment_methods_removed AFTER DELETE ON stripe.payment_methods FOR EACH ROW EXECUTE FUNCTION payment_kit.replaced('payment_method');
CREATE TRIGGER payment_methods_updated AFTER UPDATE ON stripe.payment_methods FOR EACH ROW EXECUTE FUNCTION payment_kit.replaced('payment_method');
CREATE TRIGGER payouts_inserted AFTER INSERT ON stripe.payouts REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION payment_kit.inserted('payout');
CREATE TRIGGER payouts_removed AFTER DELETE ON stripe.payouts FOR EACH ROW EXECUTE FUNCTION payment_kit.replaced('payout');
CREATE TRIGGER payouts_updated AFTER UPDATE ON stripe.payouts FOR EACH ROW EXECUTE FUNCTION payment_kit.replaced('payout');
CREATE TRIGGER prices_inserted AFTER INSERT ON stripe.prices REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION payment_kit.inserted('price');
CREATE TRIGGER prices_removed AFTER DELETE ON stripe.prices FOR EACH ROW EXECUTE FUNCTION payment_kit.replaced('price');
CREATE TRIGGER prices_updated AFTER UPDATE ON stripe.prices FOR EACH ROW EXECUTE FUNCTION payment_kit.replaced('price');
CREATE TRIGGER products_inserted AFTER INSERT ON stripe.products REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION payment_kit.inserted('product');
CREATE TRIGGER products_removed AFTER DELETE ON stripe.products FOR EACH ROW EXECUTE FUNCTION payment_kit.replaced('product');
CREATE TRIGGER products_updated AFTER UPDATE ON stripe.products FOR EACH ROW EXECUTE FUNCTION payment_kit.replaced('product');
CREATE TRIGGER promotion_codes_inserted AFTER INSERT ON stripe.promotion_codes REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION payment_kit.inserted('promotion_code');
CREATE TRIGGER promotion_codes_removed AFTER DELETE ON stripe.promotion_codes FOR EACH ROW EXECUTE FUNCTION payment_kit.replaced('promotion_code');
CREATE TRIGGER promotion_codes_updated AFTER UPDATE ON stripe.promotion_codes FOR EACH ROW EXECUTE FUNCTION payment_kit.replaced('promotion_code');
CREATE TRIGGER quotes_inserted AFTER INSERT ON stripe.quotes REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION payment_kit.inserted('quote');
CREATE TRIGGER quotes_removed AFTER DELETE ON stripe.quotes FOR EACH ROW EXECUTE FUNCTION payment_kit.replaced('quote');
CREATE TRIGGER quotes_updated AFTER UPDATE ON stripe.quotes FOR EACH ROW EXECUTE FUNCTION payment_kit.replaced('quote');
CREATE TRIGGER refunds_inserted AFTER INSERT ON stripe.refunds REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION payment_kit.inserted('refund');
CREATE TRIGGER refunds_removed AFTER DELETE ON stripe.refunds FOR EACH ROW EXECUTE FUNCTION payment_kit.replaced('refund');
CREATE TRIGGER refunds_updated AFTER UPDATE ON stripe.refunds FOR EACH ROW EXECUTE FUNCTION payment_kit.replaced('refund');
CREATE TRIGGER reviews_inserted AFTER INSERT ON stripe.reviews REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION payment_kit.inserted('review');
CREATE TRIGGER reviews_removed AFTER DELETE ON stripe.reviews FOR EACH ROW EXECUTE FUNCTION payment_kit.replaced('review');
CREATE TRIGGER reviews_updated AFTER UPDATE ON stripe.reviews FOR EACH ROW EXECUTE FUNCTION payment_kit.replaced('review');
CREATE TRIGGER setup_attempts_inserted AFTER INSERT ON stripe.setup_attempts REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION payment_kit.inserted('setup_attempt');
CREATE TRIGGER setup_attempts_removed AFTER DELETE ON stripe.setup_attempts FOR EACH ROW EXECUTE FUNCTION payment_kit.replaced('setup_attempt');
CREATE TRIGGER setup_attempts_updated AFTER UPDATE ON stripe.setup_attempts FOR EACH ROW EXECUTE FUNCTION payment_kit.replaced('setup_attempt');
CREATE TRIGGER setup_intents_inserted AFTER INSERT ON stripe.setup_intents REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION payment_kit.inserted('setup_intent');
CREATE TRIGGER setup_intents_removed AFTER DELETE ON stripe.setup_intents FOR EACH ROW EXECUTE FUNCTION payment_kit.replaced('setup_intent');
CREATE TRIGGER setup_intents_updated AFTER UPDATE ON stripe.setup_intents FOR EACH ROW EXECUTE FUNCTION payment_kit.replaced('setup_intent');
CREATE TRIGGER subscription_items_inserted AFTER INSERT ON stripe.subscription_items REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION payment_kit.inserted('subscription_item');
CREATE TRIGGER subscription_items_removed AFTER DELETE ON stripe.subscription_items FOR EACH ROW EXECUTE FUNCTION payment_kit.replaced('subscription_item');
CREATE TRIGGER subscription_items_updated AFTER UPDATE ON stripe.subscription_items FOR EACH ROW EXECUTE FUNCTION payment_kit.replaced('subscription_item');
CREATE TRIGGER subscription_schedules_inserted AFTER INSERT ON stripe.subscription_schedules REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION payment_kit.inserted('subscription_schedule');
CREATE TRIGGER subscription_schedules_removed AFTER DELETE ON stripe.subscription_schedules FOR EACH ROW EXECUTE FUNCTION payment_kit.replaced('subscription_schedule');
CREATE TRIGGER subscription_schedules_updated AFTER UPDATE ON stripe.subscription_schedules FOR EACH ROW EXECUTE FUNCTION payment_kit.replaced('subscription_schedule');
CREATE TRIGGER subscriptions_inserted AFTER INSERT ON stripe.subscriptions REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION payment_kit.inserted('subscription');
CREATE TRIGGER subscriptions_removed AFTER DELETE ON stripe.subscriptions FOR EACH ROW EXECUTE FUNCTION payment_kit.replaced('subscription');
CREATE TRIGGER subscriptions_updated AFTER UPDATE ON stripe.subscriptions FOR EACH ROW EXECUTE FUNCTION payment_kit.replaced('subscription');
CREATE TRIGGER tax_ids_inserted AFTER INSERT ON stripe.tax_ids REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION payment_kit.inserted('tax_id');
CREATE TRIGGER tax_ids_removed AFTER DELETE ON stripe.tax_ids FOR EACH ROW EXECUTE FUNCTION payment_kit.replaced('tax_id');
CREATE TRIGGER tax_ids_updated AFTER UPDATE ON stripe.tax_ids FOR EACH ROW EXECUTE FUNCTION payment_kit.replaced('tax_id');
CREATE TRIGGER tax_rates_inserted AFTER INSERT ON stripe.tax_rates REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION payment_kit.inserted('tax_rate');
CREATE TRIGGER tax_rates_removed AFTER DELETE ON stripe.tax_rates FOR EACH ROW EXECUTE FUNCTION payment_kit.replaced('tax_rate');
CREATE TRIGGER tax_rates_updated AFTER UPDATE ON stripe.tax_rates FOR EACH ROW EXECUTE FUNCTION payment_kit.replaced('tax_rate');
CREATE TRIGGER test_clocks_inserted AFTER INSERT ON stripe.test_clocks REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION payment_kit.inserted('test_helpers.test_clock');
CREATE TRIGGER test_clocks_removed AFTER DELETE ON stripe.test_clocks FOR EACH ROW EXECUTE FUNCTION payment_kit.replaced('test_helpers.test_clock');
CREATE TRIGGER test_clocks_updated AFTER UPDATE ON stripe.test_clocks FOR EACH ROW EXECUTE FUNCTION payment_kit.replaced('test_helpers.test_clock');
CREATE TRIGGER topups_inserted AFTER INSERT ON stripe.topups REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION payment_kit.inserted('topup');
CREATE TRIGGER topups_removed AFTER DELETE ON stripe.topups FOR EACH ROW EXECUTE FUNCTION payment_kit.replaced('topup');
CREATE TRIGGER topups_updated AFTER UPDATE ON stripe.topups FOR EACH ROW EXECUTE FUNCTION payment_kit.replaced('topup');
CREATE TRIGGER transfer_reversals_inserted AFTER INSERT ON stripe.transfer_reversals REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION payment_kit.inserted('transfer_reversal');
CREATE TRIGGER transfer_reversals_removed AFTER DELETE ON stripe.transfer_reversals FOR EACH ROW EXECUTE FUNCTION payment_kit.replaced('transfer_reversal');
CREATE TRIGGER transfer_reversals_updated AFTER UPDATE ON stripe.transfer_reversals FOR EACH ROW EXECUTE FUNCTION payment_kit.replaced('transfer_reversal');
CREATE TRIGGER transfers_inserted AFTER INSERT ON stripe.transfers REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION payment_kit.inserted('transfer');
CREATE TRIGGER transfers_removed AFTER DELETE ON stripe.transfers FOR EACH ROW EXECUTE FUNCTION payment_kit.replaced('transfer');
CREATE TRIGGER transfers_updated AFTER UPDATE ON stripe.transfers FOR EACH ROW EXECUTE FUNCTION payment_kit.replaced('transfer');

comment on table payment_kit.accounts is 'The Stripe accounts mirrored here; test and live are never mixed under one id.';
comment on column payment_kit.accounts.platform is 'The account of the key a connected account is reached with; null for that account itself.';
comment on function payment_kit.as_of(text,text,timestamp with time zone,timestamp with time zone) is 'Every object of a kind as it was at a moment of Stripe''s time, deleted ones left out; with known_at as we knew it then. certain is false where states of one second differ in an order SQL cannot tell, and where a list went on at Stripe.';
comment on table payment_kit.audit is 'Append-only: every write that was decided, stored in the transaction that changed the mirror, and every refusal.';
comment on column payment_kit.audit.caller is 'Empty when it was not known who called; anonymous when the service asks nobody who he is.';
comment on column payment_kit.audit.code is 'OK, or the reason of the error.';
comment on column payment_kit.audit.times is 'Refusals of one kind that came within a moment stand in one row.';
comment on table payment_kit.audit_seals is 'The chain: each hash is SHA-256 over the one before it and the audit row it seals. One chain for each account.';
comment on table payment_kit.audit_unsealed is 'Rows of payment_kit.audit that have no place in the chain yet, which is for about a second.';
comment on table payment_kit.backfill_missed is 'Rows that a list of Stripe''s should have shown and did not; each is asked for by itself before it counts as deleted.';
comment on table payment_kit.backfill_windows is 'The pieces of a backfill under way: each a range of creation times of one list of Stripe''s, and how far it is read. A stream that was read to its end has none.';
comment on column payment_kit.backfill_windows.after is 'The last object (or parent) whose page is in the mirror; the reading goes on behind it.';
comment on column payment_kit.backfill_windows.boundary is 'The objects read that were created in that very second: the next page may hold more of it. Null: too many to keep.';
comment on column payment_kit.backfill_windows.created_before is 'Exclusive; null: to the end.';
comment on column payment_kit.backfill_windows.created_from is 'Inclusive; null: from the beginning.';
comment on column payment_kit.backfill_windows.reached_at is 'When that object was created: newest come first.';
comment on column payment_kit.backfill_windows.started_at is 'Stripe''s time before the first request of the stream: through it the stream is complete in the end.';
comment on table payment_kit.caller_certificates is 'Whose certificates are whose: the identity in a client certificate and the caller it stands for.';
comment on column payment_kit.caller_certificates.identity is 'The certificate''s SPIFFE id, otherwise its DNS name, otherwise its common name.';
comment on table payment_kit.caller_keys is 'API keys of callers, at most two valid ones of each.';
comment on column payment_kit.caller_keys.last_used_at is 'Exact to a minute.';
comment on column payment_kit.caller_keys.secret_hash is 'SHA-256 of the key''s secret, 256 random bits; the secret itself is stored nowhere.';
comment on table payment_kit.callers is 'Programs that may call the service for an account.';
comment on column payment_kit.callers.calls_per_second is 'How many calls each process takes from it in a second; null: as many as it makes.';
comment on column payment_kit.callers.expires_at is 'Nothing of it is accepted from then on.';
comment on column payment_kit.callers.max_amounts is 'The largest amount of one payment and of one refund in minor units, {"refunds": {"usd": 50000}}. For a role that is here every other currency is refused.';
comment on column payment_kit.callers.roles is 'What it may do, in the words of the contract''s Role: reader, payments, refunds, admin.';
comment on function payment_kit.carried_by(text) is 'The object that carries another inside its own state, and the list it is in there; null for what stands alone.';
comment on table payment_kit.changes is 'The outbox: one row for each row of schema stripe that was inserted, updated or deleted, written in the same transaction.';
comment on column payment_kit.changes.before_event is 'What had caused the state before; its payload is in payment_kit.versions.';
comment on column payment_kit.changes.event is 'What caused it: the id of the event, or read:<request id>.';
comment on column payment_kit.changes.operation is 'insert, update or delete. What follows these ends with the rows that are not deleted; a delete may be told of what was never there, or twice.';
comment on table payment_kit.followers is 'Applications that follow payment_kit.changes by a name: the cursor behind which each of them goes on.';
comment on table payment_kit.inbox is 'Verified webhook bodies, stored whole before they are acknowledged. The row is the job: applied_at is set in the transaction that writes the mirror.';
comment on column payment_kit.inbox.deliveries is 'How often this event reached us; repetitions are counted, never applied again.';
comment on column payment_kit.inbox.outcome is 'applied, stale (a newer state was already there), unmapped (a type no table holds) or dead (given up, see last_error).';
comment on column payment_kit.inbox.platform is 'The account of the key this event came by; account_id is the one it is about.';
comment on column payment_kit.inbox.source is 'How the event came: webhook (HTTP), grpc (HandleWebhook), catch_up (Stripe''s events list).';
comment on function payment_kit.inserted() is 'Tells of new rows in the outbox.';
comment on function payment_kit.kept() is 'Refuses to change or remove what was recorded, unless the transaction has set payment_kit.may_change_history to yes.';
comment on table payment_kit.owed is 'Reads of Stripe that are owed: objects whose newest state the events do not tell, and lists that hang on them (part names the kind listed).';
comment on column payment_kit.owed.reason is 'tie (states of one second in no known order), parts (more than the payload holds), version (sent in an older shape), thin (a notification without the object), reference (known by its id only).';
comment on column payment_kit.owed.since is 'Stripe''s time of the oldest reason; the mirror is complete only before it.';
comment on column payment_kit.owed.token is 'Grows with each new reason, so a read begun before one does not settle it.';
comment on table payment_kit.reads is 'The reads of Stripe that wrote rows, one row per request and time: what the order key of a row that came by no event is checked against.';
comment on column payment_kit.reads.event is 'read:<request id>, as in source_event.';
comment on function payment_kit.replaced() is 'Keeps what a row held in the versions, and tells of the change in the outbox.';
comment on table payment_kit.requests is 'The outcome of every write by its request_id, so that a repeated call answers the same and happens once.';
comment on table payment_kit.schema_migrations is 'Which migrations this database has, and the hash of each file.';
comment on function payment_kit.states_at(text,text,timestamp with time zone,timestamp with time zone,text[]) is 'The newest state of each object at a moment of Stripe''s time, of what we knew at a moment of our own; several where states of one second differ and are in no order by their keys (tied). Deleted objects are left out.';
comment on table payment_kit.sync_state is 'How far each stream has been read from Stripe. complete_through is in Stripe''s time: everything before it is in the mirror.';
comment on function payment_kit.table_of(text) is 'The table of an object by Stripe''s name for it, e.g. stripe.customers for customer; null for one that is not mirrored.';
comment on table payment_kit.versions is 'Append-only: every state of every object that is in no row: what a row held before, and what came too late to be in one.';
comment on view stripe.events is 'Every event that reached us, as Stripe sent it.';
comment on table stripe.payout_balance_transactions is 'Which balance transactions an automatic payout pays out, as Stripe itemises it; the payout''s own transaction is among them.';
comment on table stripe.payout_itemisations is 'Payouts whose list of balance transactions was read to its end.';

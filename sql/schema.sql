-- The whole schema: the sum of sql/migrations, rendered by `make schema`. Read it, do not edit it.
set check_function_bodies = off;

create schema payment_kit;
create schema stripe;

create table payment_kit.accounts (
    account_id text not null,
    livemode boolean not null,
    display_name text,
    first_seen_at timestamp with time zone default now() not null,
    constraint accounts_pkey PRIMARY KEY (account_id)
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
    constraint inbox_pkey PRIMARY KEY (account_id, event_id)
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
    constraint balance_transactions_pkey PRIMARY KEY (account_id, id)
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
    constraint charges_pkey PRIMARY KEY (account_id, id)
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
    constraint customers_pkey PRIMARY KEY (account_id, id)
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
    constraint disputes_pkey PRIMARY KEY (account_id, id)
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
    constraint payment_intents_pkey PRIMARY KEY (account_id, id)
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
    constraint products_pkey PRIMARY KEY (account_id, id)
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
    constraint refunds_pkey PRIMARY KEY (account_id, id)
);

CREATE INDEX inbox_created ON payment_kit.inbox USING btree (account_id, created);
CREATE INDEX inbox_waiting ON payment_kit.inbox USING btree (available_at) WHERE (outcome IS NULL);
CREATE INDEX requests_created ON payment_kit.requests USING btree (created_at);
CREATE INDEX balance_transactions_created ON stripe.balance_transactions USING btree (account_id, created);
CREATE INDEX balance_transactions_source ON stripe.balance_transactions USING btree (account_id, source);
CREATE INDEX charges_payment_intent ON stripe.charges USING btree (account_id, payment_intent);
CREATE INDEX customers_listed ON stripe.customers USING btree (account_id, created DESC, id DESC);
CREATE INDEX disputes_charge ON stripe.disputes USING btree (account_id, charge);
CREATE INDEX payment_intents_customer ON stripe.payment_intents USING btree (account_id, customer);
CREATE INDEX payment_methods_customer ON stripe.payment_methods USING btree (account_id, customer);
CREATE INDEX payment_methods_listed ON stripe.payment_methods USING btree (account_id, created DESC, id DESC);
CREATE INDEX payout_balance_transactions_transaction ON stripe.payout_balance_transactions USING btree (account_id, balance_transaction_id);
CREATE INDEX prices_listed ON stripe.prices USING btree (account_id, created DESC, id DESC);
CREATE INDEX prices_product ON stripe.prices USING btree (account_id, product);
CREATE INDEX products_listed ON stripe.products USING btree (account_id, created DESC, id DESC);
CREATE INDEX refunds_charge ON stripe.refunds USING btree (account_id, charge);

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

comment on table payment_kit.accounts is 'The Stripe accounts mirrored here; test and live are never mixed under one id.';
comment on table payment_kit.inbox is 'Verified webhook bodies, stored whole before they are acknowledged. The row is the job: applied_at is set in the transaction that writes the mirror.';
comment on column payment_kit.inbox.deliveries is 'How often this event reached us; repetitions are counted, never applied again.';
comment on column payment_kit.inbox.outcome is 'applied, stale (a newer state was already there), unmapped (a type no table holds) or dead (given up, see last_error).';
comment on column payment_kit.inbox.source is 'How the event came: webhook (HTTP), grpc (HandleWebhook), catch_up (Stripe''s events list).';
comment on table payment_kit.requests is 'The outcome of every write by its request_id, so that a repeated call answers the same and happens once.';
comment on table payment_kit.schema_migrations is 'Which migrations this database has, and the hash of each file.';
comment on table payment_kit.sync_state is 'How far each stream has been read from Stripe. complete_through is in Stripe''s time: everything before it is in the mirror.';
comment on table payment_kit.versions is 'Append-only: every state of every object that reached us, with the time Stripe gave it and the time we recorded it.';
comment on view stripe.events is 'Every event that reached us, as Stripe sent it.';
comment on table stripe.payout_balance_transactions is 'Which balance transactions an automatic payout pays out, as Stripe itemises it; the payout''s own transaction is among them.';
comment on table stripe.payout_itemisations is 'Payouts whose list of balance transactions was read to its end.';

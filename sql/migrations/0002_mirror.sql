-- The mirror: one table per Stripe object. Typed columns for what is queried, the whole object in raw.
-- source_time, source_progress and source_event say which state of the object the row holds (payment_kit/mirror/order.py).
-- No constraint beyond the key: whatever Stripe can produce must fit.
set local lock_timeout = '5s';
set local statement_timeout = '60s';

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
    source_progress bigint [] not null,
    source_event text not null,
    deleted_at timestamp with time zone,
    synced_at timestamp with time zone not null default now(),
    primary key (account_id, id)
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
    source_progress bigint [] not null,
    source_event text not null,
    deleted_at timestamp with time zone,
    synced_at timestamp with time zone not null default now(),
    primary key (account_id, id)
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
    source_progress bigint [] not null,
    source_event text not null,
    deleted_at timestamp with time zone,
    synced_at timestamp with time zone not null default now(),
    primary key (account_id, id)
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
    source_progress bigint [] not null,
    source_event text not null,
    deleted_at timestamp with time zone,
    synced_at timestamp with time zone not null default now(),
    primary key (account_id, id)
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
    source_progress bigint [] not null,
    source_event text not null,
    deleted_at timestamp with time zone,
    synced_at timestamp with time zone not null default now(),
    primary key (account_id, id)
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
    source_progress bigint [] not null,
    source_event text not null,
    deleted_at timestamp with time zone,
    synced_at timestamp with time zone not null default now(),
    primary key (account_id, id)
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
    source_progress bigint [] not null,
    source_event text not null,
    deleted_at timestamp with time zone,
    synced_at timestamp with time zone not null default now(),
    primary key (account_id, id)
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
    source_progress bigint [] not null,
    source_event text not null,
    deleted_at timestamp with time zone,
    synced_at timestamp with time zone not null default now(),
    primary key (account_id, id)
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
    source_progress bigint [] not null,
    source_event text not null,
    deleted_at timestamp with time zone,
    synced_at timestamp with time zone not null default now(),
    primary key (account_id, id)
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
    source_progress bigint [] not null,
    source_event text not null,
    deleted_at timestamp with time zone,
    synced_at timestamp with time zone not null default now(),
    primary key (account_id, id)
);

create table stripe.payout_balance_transactions (
    account_id text not null,
    payout_id text not null,
    balance_transaction_id text not null,
    primary key (account_id, payout_id, balance_transaction_id)
);
comment on table stripe.payout_balance_transactions is
'Which balance transactions an automatic payout pays out, as Stripe itemises it; the payout''s own transaction is among them.';

create table stripe.payout_itemisations (
    account_id text not null,
    payout_id text not null,
    items bigint not null,
    itemised_at timestamp with time zone not null default now(),
    primary key (account_id, payout_id)
);
comment on table stripe.payout_itemisations is 'Payouts whose list of balance transactions was read to its end.';

create index payment_methods_customer on stripe.payment_methods (account_id, customer);
create index payment_intents_customer on stripe.payment_intents (account_id, customer);
create index charges_payment_intent on stripe.charges (account_id, payment_intent);
create index refunds_charge on stripe.refunds (account_id, charge);
create index disputes_charge on stripe.disputes (account_id, charge);
create index prices_product on stripe.prices (account_id, product);
create index balance_transactions_created on stripe.balance_transactions (account_id, created);
create index balance_transactions_source on stripe.balance_transactions (account_id, source);
create index payout_balance_transactions_transaction
on stripe.payout_balance_transactions (account_id, balance_transaction_id);
create index customers_listed on stripe.customers (account_id, created desc, id desc);
create index products_listed on stripe.products (account_id, created desc, id desc);
create index prices_listed on stripe.prices (account_id, created desc, id desc);
create index payment_methods_listed on stripe.payment_methods (account_id, created desc, id desc);

create view stripe.events with (security_invoker) as
select
    account_id,
    event_id as id,
    type,
    created,
    livemode,
    api_version,
    object_id,
    convert_from(body, 'UTF8')::jsonb as raw,
    received_at,
    applied_at,
    outcome
from payment_kit.inbox;
comment on view stripe.events is 'Every event that reached us, as Stripe sent it.';

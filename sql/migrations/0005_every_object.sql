-- Every object that payments, billing and the books need. No constraint beyond the key: whatever Stripe can produce must
-- fit. `digest` is that of `raw`, so that an unchanged object is told apart without reading it. Every table remembers what
-- it held (payment_kit.versions) and tells what changed (payment_kit.changes), whoever writes.
-- No released version had these tables: they are small where they exist, and may be locked for a moment.
-- squawk-ignore-file require-concurrent-index-creation
set local lock_timeout = '5s';
set local statement_timeout = '600s';

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
    source_progress bigint [] not null,
    source_event text not null,
    deleted_at timestamp with time zone,
    synced_at timestamp with time zone not null default now(),
    primary key (account_id, id)
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
    source_progress bigint [] not null,
    source_event text not null,
    deleted_at timestamp with time zone,
    synced_at timestamp with time zone not null default now(),
    primary key (account_id, id)
);

alter table stripe.customers
    add column tax_exempt text,
    add column test_clock text,
    add column digest bytea;

update stripe.customers
set
    tax_exempt = raw->>'tax_exempt',
    test_clock = coalesce(raw->'test_clock'->>'id', raw->>'test_clock');

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
    source_progress bigint [] not null,
    source_event text not null,
    deleted_at timestamp with time zone,
    synced_at timestamp with time zone not null default now(),
    primary key (account_id, id)
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
    source_progress bigint [] not null,
    source_event text not null,
    deleted_at timestamp with time zone,
    synced_at timestamp with time zone not null default now(),
    primary key (account_id, id)
);

alter table stripe.products
    add column digest bytea;

alter table stripe.prices
    add column digest bytea;

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
    source_progress bigint [] not null,
    source_event text not null,
    deleted_at timestamp with time zone,
    synced_at timestamp with time zone not null default now(),
    primary key (account_id, id)
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
    source_progress bigint [] not null,
    source_event text not null,
    deleted_at timestamp with time zone,
    synced_at timestamp with time zone not null default now(),
    primary key (account_id, id)
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
    source_progress bigint [] not null,
    source_event text not null,
    deleted_at timestamp with time zone,
    synced_at timestamp with time zone not null default now(),
    primary key (account_id, id)
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
    source_progress bigint [] not null,
    source_event text not null,
    deleted_at timestamp with time zone,
    synced_at timestamp with time zone not null default now(),
    primary key (account_id, id)
);

alter table stripe.payment_methods
    add column digest bytea;

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
    source_progress bigint [] not null,
    source_event text not null,
    deleted_at timestamp with time zone,
    synced_at timestamp with time zone not null default now(),
    primary key (account_id, id)
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
    source_progress bigint [] not null,
    source_event text not null,
    deleted_at timestamp with time zone,
    synced_at timestamp with time zone not null default now(),
    primary key (account_id, id)
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
    source_progress bigint [] not null,
    source_event text not null,
    deleted_at timestamp with time zone,
    synced_at timestamp with time zone not null default now(),
    primary key (account_id, id)
);

alter table stripe.payment_intents
    add column review text,
    add column digest bytea;

update stripe.payment_intents
set
    review = coalesce(raw->'review'->>'id', raw->>'review');

alter table stripe.charges
    add column application_fee text,
    add column transfer text,
    add column digest bytea;

update stripe.charges
set
    application_fee = coalesce(raw->'application_fee'->>'id', raw->>'application_fee'),
    transfer = coalesce(raw->'transfer'->>'id', raw->>'transfer');

alter table stripe.refunds
    add column digest bytea;

alter table stripe.disputes
    add column digest bytea;

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
    source_progress bigint [] not null,
    source_event text not null,
    deleted_at timestamp with time zone,
    synced_at timestamp with time zone not null default now(),
    primary key (account_id, id)
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
    source_progress bigint [] not null,
    source_event text not null,
    deleted_at timestamp with time zone,
    synced_at timestamp with time zone not null default now(),
    primary key (account_id, id)
);

alter table stripe.balance_transactions
    add column digest bytea;

alter table stripe.payouts
    add column digest bytea;

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
    source_progress bigint [] not null,
    source_event text not null,
    deleted_at timestamp with time zone,
    synced_at timestamp with time zone not null default now(),
    primary key (account_id, id)
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
    source_progress bigint [] not null,
    source_event text not null,
    deleted_at timestamp with time zone,
    synced_at timestamp with time zone not null default now(),
    primary key (account_id, id)
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
    source_progress bigint [] not null,
    source_event text not null,
    deleted_at timestamp with time zone,
    synced_at timestamp with time zone not null default now(),
    primary key (account_id, id)
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
    source_progress bigint [] not null,
    source_event text not null,
    deleted_at timestamp with time zone,
    synced_at timestamp with time zone not null default now(),
    primary key (account_id, id)
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
    source_progress bigint [] not null,
    source_event text not null,
    deleted_at timestamp with time zone,
    synced_at timestamp with time zone not null default now(),
    primary key (account_id, id)
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
    source_progress bigint [] not null,
    source_event text not null,
    deleted_at timestamp with time zone,
    synced_at timestamp with time zone not null default now(),
    primary key (account_id, id)
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
    source_progress bigint [] not null,
    source_event text not null,
    deleted_at timestamp with time zone,
    synced_at timestamp with time zone not null default now(),
    primary key (account_id, id)
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
    source_progress bigint [] not null,
    source_event text not null,
    deleted_at timestamp with time zone,
    synced_at timestamp with time zone not null default now(),
    primary key (account_id, id)
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
    source_progress bigint [] not null,
    source_event text not null,
    deleted_at timestamp with time zone,
    synced_at timestamp with time zone not null default now(),
    primary key (account_id, id)
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
    source_progress bigint [] not null,
    source_event text not null,
    deleted_at timestamp with time zone,
    synced_at timestamp with time zone not null default now(),
    primary key (account_id, id)
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
    source_progress bigint [] not null,
    source_event text not null,
    deleted_at timestamp with time zone,
    synced_at timestamp with time zone not null default now(),
    primary key (account_id, id)
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
    source_progress bigint [] not null,
    source_event text not null,
    deleted_at timestamp with time zone,
    synced_at timestamp with time zone not null default now(),
    primary key (account_id, id)
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
    source_progress bigint [] not null,
    source_event text not null,
    deleted_at timestamp with time zone,
    synced_at timestamp with time zone not null default now(),
    primary key (account_id, id)
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
    source_progress bigint [] not null,
    source_event text not null,
    deleted_at timestamp with time zone,
    synced_at timestamp with time zone not null default now(),
    primary key (account_id, id)
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
    source_progress bigint [] not null,
    source_event text not null,
    deleted_at timestamp with time zone,
    synced_at timestamp with time zone not null default now(),
    primary key (account_id, id)
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
    source_progress bigint [] not null,
    source_event text not null,
    deleted_at timestamp with time zone,
    synced_at timestamp with time zone not null default now(),
    primary key (account_id, id)
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
    source_progress bigint [] not null,
    source_event text not null,
    deleted_at timestamp with time zone,
    synced_at timestamp with time zone not null default now(),
    primary key (account_id, id)
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
    source_progress bigint [] not null,
    source_event text not null,
    deleted_at timestamp with time zone,
    synced_at timestamp with time zone not null default now(),
    primary key (account_id, id)
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
    source_progress bigint [] not null,
    source_event text not null,
    deleted_at timestamp with time zone,
    synced_at timestamp with time zone not null default now(),
    primary key (account_id, id)
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
    source_progress bigint [] not null,
    source_event text not null,
    deleted_at timestamp with time zone,
    synced_at timestamp with time zone not null default now(),
    primary key (account_id, id)
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
    source_progress bigint [] not null,
    source_event text not null,
    deleted_at timestamp with time zone,
    synced_at timestamp with time zone not null default now(),
    primary key (account_id, id)
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
    source_progress bigint [] not null,
    source_event text not null,
    deleted_at timestamp with time zone,
    synced_at timestamp with time zone not null default now(),
    primary key (account_id, id)
);

create index accounts_created on stripe.accounts (account_id, created);
create index coupons_created on stripe.coupons (account_id, created);
create index promotion_codes_created on stripe.promotion_codes (account_id, created);
create index tax_rates_created on stripe.tax_rates (account_id, created);
create index setup_intents_created on stripe.setup_intents (account_id, created);
create index payment_intents_created on stripe.payment_intents (account_id, created);
create index charges_created on stripe.charges (account_id, created);
create index refunds_created on stripe.refunds (account_id, created);
create index disputes_created on stripe.disputes (account_id, created);
create index reviews_created on stripe.reviews (account_id, created);
create index early_fraud_warnings_created on stripe.early_fraud_warnings (account_id, created);
create index payouts_created on stripe.payouts (account_id, created);
create index topups_created on stripe.topups (account_id, created);
create index transfers_created on stripe.transfers (account_id, created);
create index transfer_reversals_parent_id on stripe.transfer_reversals (account_id, parent_id);
create index application_fees_created on stripe.application_fees (account_id, created);
create index application_fee_refunds_parent_id on stripe.application_fee_refunds (account_id, parent_id);
create index subscriptions_created on stripe.subscriptions (account_id, created);
create index subscription_items_parent_id on stripe.subscription_items (account_id, parent_id);
create index subscription_schedules_created on stripe.subscription_schedules (account_id, created);
create index invoices_created on stripe.invoices (account_id, created);
create index invoice_line_items_parent_id on stripe.invoice_line_items (account_id, parent_id);
create index invoice_payments_created on stripe.invoice_payments (account_id, created);
create index credit_notes_created on stripe.credit_notes (account_id, created);
create index credit_note_line_items_parent_id on stripe.credit_note_line_items (account_id, parent_id);
create index checkout_sessions_created on stripe.checkout_sessions (account_id, created);
create index checkout_line_items_parent_id on stripe.checkout_line_items (account_id, parent_id);
create index active_entitlements_parent_id on stripe.active_entitlements (account_id, parent_id);
create index customers_email on stripe.customers (account_id, email);
create index customer_balance_transactions_customer on stripe.customer_balance_transactions (account_id, customer);
create index tax_ids_customer on stripe.tax_ids (account_id, customer);
create index setup_intents_customer on stripe.setup_intents (account_id, customer);
create index setup_attempts_setup_intent on stripe.setup_attempts (account_id, setup_intent);
create index promotion_codes_coupon on stripe.promotion_codes (account_id, coupon);
create index discounts_customer on stripe.discounts (account_id, customer);
create index subscriptions_customer on stripe.subscriptions (account_id, customer);
create index subscription_items_price on stripe.subscription_items (account_id, price);
create index subscription_schedules_subscription on stripe.subscription_schedules (account_id, subscription);
create index invoices_customer on stripe.invoices (account_id, customer);
create index invoices_subscription on stripe.invoices (account_id, subscription);
create index invoiceitems_invoice on stripe.invoiceitems (account_id, invoice);
create index invoiceitems_customer on stripe.invoiceitems (account_id, customer);
create index invoice_payments_invoice on stripe.invoice_payments (account_id, invoice);
create index invoice_payments_payment_intent on stripe.invoice_payments (account_id, payment_intent);
create index credit_notes_invoice on stripe.credit_notes (account_id, invoice);
create index checkout_sessions_customer on stripe.checkout_sessions (account_id, customer);
create index checkout_sessions_payment_intent on stripe.checkout_sessions (account_id, payment_intent);
create index refunds_payment_intent on stripe.refunds (account_id, payment_intent);
create index charges_customer on stripe.charges (account_id, customer);
create index application_fees_charge on stripe.application_fees (account_id, charge);
create index transfers_destination on stripe.transfers (account_id, destination);
create index early_fraud_warnings_charge on stripe.early_fraud_warnings (account_id, charge);
create index reviews_charge on stripe.reviews (account_id, charge);
create index quotes_customer on stripe.quotes (account_id, customer);
create index invoiceitems_date on stripe.invoiceitems (account_id, date);

create trigger accounts_inserted after insert on stripe.accounts
referencing new table as fresh for each statement execute function payment_kit.inserted('account');
create trigger accounts_updated after update on stripe.accounts
for each row execute function payment_kit.replaced('account');
create trigger accounts_removed after delete on stripe.accounts
for each row execute function payment_kit.replaced('account');

create trigger test_clocks_inserted after insert on stripe.test_clocks
referencing new table as fresh for each statement execute function payment_kit.inserted('test_helpers.test_clock');
create trigger test_clocks_updated after update on stripe.test_clocks
for each row execute function payment_kit.replaced('test_helpers.test_clock');
create trigger test_clocks_removed after delete on stripe.test_clocks
for each row execute function payment_kit.replaced('test_helpers.test_clock');

create trigger customers_inserted after insert on stripe.customers
referencing new table as fresh for each statement execute function payment_kit.inserted('customer');
create trigger customers_updated after update on stripe.customers
for each row execute function payment_kit.replaced('customer');
create trigger customers_removed after delete on stripe.customers
for each row execute function payment_kit.replaced('customer');

create trigger tax_ids_inserted after insert on stripe.tax_ids
referencing new table as fresh for each statement execute function payment_kit.inserted('tax_id');
create trigger tax_ids_updated after update on stripe.tax_ids
for each row execute function payment_kit.replaced('tax_id');
create trigger tax_ids_removed after delete on stripe.tax_ids
for each row execute function payment_kit.replaced('tax_id');

create trigger customer_balance_transactions_inserted after insert on stripe.customer_balance_transactions
referencing new table as fresh for each statement execute function payment_kit.inserted('customer_balance_transaction');
create trigger customer_balance_transactions_updated after update on stripe.customer_balance_transactions
for each row execute function payment_kit.replaced('customer_balance_transaction');
create trigger customer_balance_transactions_removed after delete on stripe.customer_balance_transactions
for each row execute function payment_kit.replaced('customer_balance_transaction');

create trigger products_inserted after insert on stripe.products
referencing new table as fresh for each statement execute function payment_kit.inserted('product');
create trigger products_updated after update on stripe.products
for each row execute function payment_kit.replaced('product');
create trigger products_removed after delete on stripe.products
for each row execute function payment_kit.replaced('product');

create trigger prices_inserted after insert on stripe.prices
referencing new table as fresh for each statement execute function payment_kit.inserted('price');
create trigger prices_updated after update on stripe.prices
for each row execute function payment_kit.replaced('price');
create trigger prices_removed after delete on stripe.prices
for each row execute function payment_kit.replaced('price');

create trigger coupons_inserted after insert on stripe.coupons
referencing new table as fresh for each statement execute function payment_kit.inserted('coupon');
create trigger coupons_updated after update on stripe.coupons
for each row execute function payment_kit.replaced('coupon');
create trigger coupons_removed after delete on stripe.coupons
for each row execute function payment_kit.replaced('coupon');

create trigger promotion_codes_inserted after insert on stripe.promotion_codes
referencing new table as fresh for each statement execute function payment_kit.inserted('promotion_code');
create trigger promotion_codes_updated after update on stripe.promotion_codes
for each row execute function payment_kit.replaced('promotion_code');
create trigger promotion_codes_removed after delete on stripe.promotion_codes
for each row execute function payment_kit.replaced('promotion_code');

create trigger discounts_inserted after insert on stripe.discounts
referencing new table as fresh for each statement execute function payment_kit.inserted('discount');
create trigger discounts_updated after update on stripe.discounts
for each row execute function payment_kit.replaced('discount');
create trigger discounts_removed after delete on stripe.discounts
for each row execute function payment_kit.replaced('discount');

create trigger tax_rates_inserted after insert on stripe.tax_rates
referencing new table as fresh for each statement execute function payment_kit.inserted('tax_rate');
create trigger tax_rates_updated after update on stripe.tax_rates
for each row execute function payment_kit.replaced('tax_rate');
create trigger tax_rates_removed after delete on stripe.tax_rates
for each row execute function payment_kit.replaced('tax_rate');

create trigger payment_methods_inserted after insert on stripe.payment_methods
referencing new table as fresh for each statement execute function payment_kit.inserted('payment_method');
create trigger payment_methods_updated after update on stripe.payment_methods
for each row execute function payment_kit.replaced('payment_method');
create trigger payment_methods_removed after delete on stripe.payment_methods
for each row execute function payment_kit.replaced('payment_method');

create trigger setup_intents_inserted after insert on stripe.setup_intents
referencing new table as fresh for each statement execute function payment_kit.inserted('setup_intent');
create trigger setup_intents_updated after update on stripe.setup_intents
for each row execute function payment_kit.replaced('setup_intent');
create trigger setup_intents_removed after delete on stripe.setup_intents
for each row execute function payment_kit.replaced('setup_intent');

create trigger setup_attempts_inserted after insert on stripe.setup_attempts
referencing new table as fresh for each statement execute function payment_kit.inserted('setup_attempt');
create trigger setup_attempts_updated after update on stripe.setup_attempts
for each row execute function payment_kit.replaced('setup_attempt');
create trigger setup_attempts_removed after delete on stripe.setup_attempts
for each row execute function payment_kit.replaced('setup_attempt');

create trigger mandates_inserted after insert on stripe.mandates
referencing new table as fresh for each statement execute function payment_kit.inserted('mandate');
create trigger mandates_updated after update on stripe.mandates
for each row execute function payment_kit.replaced('mandate');
create trigger mandates_removed after delete on stripe.mandates
for each row execute function payment_kit.replaced('mandate');

create trigger payment_intents_inserted after insert on stripe.payment_intents
referencing new table as fresh for each statement execute function payment_kit.inserted('payment_intent');
create trigger payment_intents_updated after update on stripe.payment_intents
for each row execute function payment_kit.replaced('payment_intent');
create trigger payment_intents_removed after delete on stripe.payment_intents
for each row execute function payment_kit.replaced('payment_intent');

create trigger charges_inserted after insert on stripe.charges
referencing new table as fresh for each statement execute function payment_kit.inserted('charge');
create trigger charges_updated after update on stripe.charges
for each row execute function payment_kit.replaced('charge');
create trigger charges_removed after delete on stripe.charges
for each row execute function payment_kit.replaced('charge');

create trigger refunds_inserted after insert on stripe.refunds
referencing new table as fresh for each statement execute function payment_kit.inserted('refund');
create trigger refunds_updated after update on stripe.refunds
for each row execute function payment_kit.replaced('refund');
create trigger refunds_removed after delete on stripe.refunds
for each row execute function payment_kit.replaced('refund');

create trigger disputes_inserted after insert on stripe.disputes
referencing new table as fresh for each statement execute function payment_kit.inserted('dispute');
create trigger disputes_updated after update on stripe.disputes
for each row execute function payment_kit.replaced('dispute');
create trigger disputes_removed after delete on stripe.disputes
for each row execute function payment_kit.replaced('dispute');

create trigger reviews_inserted after insert on stripe.reviews
referencing new table as fresh for each statement execute function payment_kit.inserted('review');
create trigger reviews_updated after update on stripe.reviews
for each row execute function payment_kit.replaced('review');
create trigger reviews_removed after delete on stripe.reviews
for each row execute function payment_kit.replaced('review');

create trigger early_fraud_warnings_inserted after insert on stripe.early_fraud_warnings
referencing new table as fresh for each statement execute function payment_kit.inserted('radar.early_fraud_warning');
create trigger early_fraud_warnings_updated after update on stripe.early_fraud_warnings
for each row execute function payment_kit.replaced('radar.early_fraud_warning');
create trigger early_fraud_warnings_removed after delete on stripe.early_fraud_warnings
for each row execute function payment_kit.replaced('radar.early_fraud_warning');

create trigger balance_transactions_inserted after insert on stripe.balance_transactions
referencing new table as fresh for each statement execute function payment_kit.inserted('balance_transaction');
create trigger balance_transactions_updated after update on stripe.balance_transactions
for each row execute function payment_kit.replaced('balance_transaction');
create trigger balance_transactions_removed after delete on stripe.balance_transactions
for each row execute function payment_kit.replaced('balance_transaction');

create trigger payouts_inserted after insert on stripe.payouts
referencing new table as fresh for each statement execute function payment_kit.inserted('payout');
create trigger payouts_updated after update on stripe.payouts
for each row execute function payment_kit.replaced('payout');
create trigger payouts_removed after delete on stripe.payouts
for each row execute function payment_kit.replaced('payout');

create trigger topups_inserted after insert on stripe.topups
referencing new table as fresh for each statement execute function payment_kit.inserted('topup');
create trigger topups_updated after update on stripe.topups
for each row execute function payment_kit.replaced('topup');
create trigger topups_removed after delete on stripe.topups
for each row execute function payment_kit.replaced('topup');

create trigger transfers_inserted after insert on stripe.transfers
referencing new table as fresh for each statement execute function payment_kit.inserted('transfer');
create trigger transfers_updated after update on stripe.transfers
for each row execute function payment_kit.replaced('transfer');
create trigger transfers_removed after delete on stripe.transfers
for each row execute function payment_kit.replaced('transfer');

create trigger transfer_reversals_inserted after insert on stripe.transfer_reversals
referencing new table as fresh for each statement execute function payment_kit.inserted('transfer_reversal');
create trigger transfer_reversals_updated after update on stripe.transfer_reversals
for each row execute function payment_kit.replaced('transfer_reversal');
create trigger transfer_reversals_removed after delete on stripe.transfer_reversals
for each row execute function payment_kit.replaced('transfer_reversal');

create trigger application_fees_inserted after insert on stripe.application_fees
referencing new table as fresh for each statement execute function payment_kit.inserted('application_fee');
create trigger application_fees_updated after update on stripe.application_fees
for each row execute function payment_kit.replaced('application_fee');
create trigger application_fees_removed after delete on stripe.application_fees
for each row execute function payment_kit.replaced('application_fee');

create trigger application_fee_refunds_inserted after insert on stripe.application_fee_refunds
referencing new table as fresh for each statement execute function payment_kit.inserted('fee_refund');
create trigger application_fee_refunds_updated after update on stripe.application_fee_refunds
for each row execute function payment_kit.replaced('fee_refund');
create trigger application_fee_refunds_removed after delete on stripe.application_fee_refunds
for each row execute function payment_kit.replaced('fee_refund');

create trigger subscriptions_inserted after insert on stripe.subscriptions
referencing new table as fresh for each statement execute function payment_kit.inserted('subscription');
create trigger subscriptions_updated after update on stripe.subscriptions
for each row execute function payment_kit.replaced('subscription');
create trigger subscriptions_removed after delete on stripe.subscriptions
for each row execute function payment_kit.replaced('subscription');

create trigger subscription_items_inserted after insert on stripe.subscription_items
referencing new table as fresh for each statement execute function payment_kit.inserted('subscription_item');
create trigger subscription_items_updated after update on stripe.subscription_items
for each row execute function payment_kit.replaced('subscription_item');
create trigger subscription_items_removed after delete on stripe.subscription_items
for each row execute function payment_kit.replaced('subscription_item');

create trigger subscription_schedules_inserted after insert on stripe.subscription_schedules
referencing new table as fresh for each statement execute function payment_kit.inserted('subscription_schedule');
create trigger subscription_schedules_updated after update on stripe.subscription_schedules
for each row execute function payment_kit.replaced('subscription_schedule');
create trigger subscription_schedules_removed after delete on stripe.subscription_schedules
for each row execute function payment_kit.replaced('subscription_schedule');

create trigger invoices_inserted after insert on stripe.invoices
referencing new table as fresh for each statement execute function payment_kit.inserted('invoice');
create trigger invoices_updated after update on stripe.invoices
for each row execute function payment_kit.replaced('invoice');
create trigger invoices_removed after delete on stripe.invoices
for each row execute function payment_kit.replaced('invoice');

create trigger invoice_line_items_inserted after insert on stripe.invoice_line_items
referencing new table as fresh for each statement execute function payment_kit.inserted('line_item');
create trigger invoice_line_items_updated after update on stripe.invoice_line_items
for each row execute function payment_kit.replaced('line_item');
create trigger invoice_line_items_removed after delete on stripe.invoice_line_items
for each row execute function payment_kit.replaced('line_item');

create trigger invoiceitems_inserted after insert on stripe.invoiceitems
referencing new table as fresh for each statement execute function payment_kit.inserted('invoiceitem');
create trigger invoiceitems_updated after update on stripe.invoiceitems
for each row execute function payment_kit.replaced('invoiceitem');
create trigger invoiceitems_removed after delete on stripe.invoiceitems
for each row execute function payment_kit.replaced('invoiceitem');

create trigger invoice_payments_inserted after insert on stripe.invoice_payments
referencing new table as fresh for each statement execute function payment_kit.inserted('invoice_payment');
create trigger invoice_payments_updated after update on stripe.invoice_payments
for each row execute function payment_kit.replaced('invoice_payment');
create trigger invoice_payments_removed after delete on stripe.invoice_payments
for each row execute function payment_kit.replaced('invoice_payment');

create trigger credit_notes_inserted after insert on stripe.credit_notes
referencing new table as fresh for each statement execute function payment_kit.inserted('credit_note');
create trigger credit_notes_updated after update on stripe.credit_notes
for each row execute function payment_kit.replaced('credit_note');
create trigger credit_notes_removed after delete on stripe.credit_notes
for each row execute function payment_kit.replaced('credit_note');

create trigger credit_note_line_items_inserted after insert on stripe.credit_note_line_items
referencing new table as fresh for each statement execute function payment_kit.inserted('credit_note_line_item');
create trigger credit_note_line_items_updated after update on stripe.credit_note_line_items
for each row execute function payment_kit.replaced('credit_note_line_item');
create trigger credit_note_line_items_removed after delete on stripe.credit_note_line_items
for each row execute function payment_kit.replaced('credit_note_line_item');

create trigger checkout_sessions_inserted after insert on stripe.checkout_sessions
referencing new table as fresh for each statement execute function payment_kit.inserted('checkout.session');
create trigger checkout_sessions_updated after update on stripe.checkout_sessions
for each row execute function payment_kit.replaced('checkout.session');
create trigger checkout_sessions_removed after delete on stripe.checkout_sessions
for each row execute function payment_kit.replaced('checkout.session');

create trigger checkout_line_items_inserted after insert on stripe.checkout_line_items
referencing new table as fresh for each statement execute function payment_kit.inserted('item');
create trigger checkout_line_items_updated after update on stripe.checkout_line_items
for each row execute function payment_kit.replaced('item');
create trigger checkout_line_items_removed after delete on stripe.checkout_line_items
for each row execute function payment_kit.replaced('item');

create trigger payment_links_inserted after insert on stripe.payment_links
referencing new table as fresh for each statement execute function payment_kit.inserted('payment_link');
create trigger payment_links_updated after update on stripe.payment_links
for each row execute function payment_kit.replaced('payment_link');
create trigger payment_links_removed after delete on stripe.payment_links
for each row execute function payment_kit.replaced('payment_link');

create trigger quotes_inserted after insert on stripe.quotes
referencing new table as fresh for each statement execute function payment_kit.inserted('quote');
create trigger quotes_updated after update on stripe.quotes
for each row execute function payment_kit.replaced('quote');
create trigger quotes_removed after delete on stripe.quotes
for each row execute function payment_kit.replaced('quote');

create trigger billing_meters_inserted after insert on stripe.billing_meters
referencing new table as fresh for each statement execute function payment_kit.inserted('billing.meter');
create trigger billing_meters_updated after update on stripe.billing_meters
for each row execute function payment_kit.replaced('billing.meter');
create trigger billing_meters_removed after delete on stripe.billing_meters
for each row execute function payment_kit.replaced('billing.meter');

create trigger entitlement_features_inserted after insert on stripe.entitlement_features
referencing new table as fresh for each statement execute function payment_kit.inserted('entitlements.feature');
create trigger entitlement_features_updated after update on stripe.entitlement_features
for each row execute function payment_kit.replaced('entitlements.feature');
create trigger entitlement_features_removed after delete on stripe.entitlement_features
for each row execute function payment_kit.replaced('entitlements.feature');

create trigger active_entitlement_summaries_inserted after insert on stripe.active_entitlement_summaries
referencing new table as fresh for each statement execute function payment_kit.inserted('entitlements.active_entitlement_summary');
create trigger active_entitlement_summaries_updated after update on stripe.active_entitlement_summaries
for each row execute function payment_kit.replaced('entitlements.active_entitlement_summary');
create trigger active_entitlement_summaries_removed after delete on stripe.active_entitlement_summaries
for each row execute function payment_kit.replaced('entitlements.active_entitlement_summary');

create trigger active_entitlements_inserted after insert on stripe.active_entitlements
referencing new table as fresh for each statement execute function payment_kit.inserted('entitlements.active_entitlement');
create trigger active_entitlements_updated after update on stripe.active_entitlements
for each row execute function payment_kit.replaced('entitlements.active_entitlement');
create trigger active_entitlements_removed after delete on stripe.active_entitlements
for each row execute function payment_kit.replaced('entitlements.active_entitlement');

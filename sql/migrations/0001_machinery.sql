-- What payment_kit itself keeps: the inbox of verified events, versions of every object, stored outcomes of writes,
-- and how far each stream of Stripe has been read.
set local lock_timeout = '5s';
set local statement_timeout = '60s';

create schema if not exists payment_kit;
create schema if not exists stripe;

create table payment_kit.accounts (
    account_id text primary key,
    livemode boolean not null,
    display_name text,
    first_seen_at timestamp with time zone not null default now()
);
comment on table payment_kit.accounts is 'The Stripe accounts mirrored here; test and live are never mixed under one id.';

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
    deliveries bigint not null default 1,
    received_at timestamp with time zone not null default now(),
    available_at timestamp with time zone not null default now(),
    attempts bigint not null default 0,
    applied_at timestamp with time zone,
    outcome text,
    last_error text,
    primary key (account_id, event_id)
);
comment on table payment_kit.inbox is
'Verified webhook bodies, stored whole before they are acknowledged. The row is the job: applied_at is set in the transaction that writes the mirror.';
comment on column payment_kit.inbox.source is 'How the event came: webhook (HTTP), grpc (HandleWebhook), catch_up (Stripe''s events list).';
comment on column payment_kit.inbox.deliveries is 'How often this event reached us; repetitions are counted, never applied again.';
comment on column payment_kit.inbox.outcome is 'applied, stale (a newer state was already there), unmapped (a type no table holds) or dead (given up, see last_error).';

create index inbox_waiting on payment_kit.inbox (available_at) where outcome is null;
create index inbox_created on payment_kit.inbox (account_id, created);

create table payment_kit.versions (
    account_id text not null,
    object text not null,
    id text not null,
    source_time timestamp with time zone not null,
    source_progress bigint [] not null,
    source_event text not null,
    raw jsonb not null,
    api_version text,
    deleted boolean not null default false,
    recorded_at timestamp with time zone not null default now(),
    primary key (account_id, object, id, source_time, source_event)
);
comment on table payment_kit.versions is
'Append-only: every state of every object that reached us, with the time Stripe gave it and the time we recorded it.';

create table payment_kit.requests (
    account_id text not null,
    request_id text not null,
    method text not null,
    request_hash bytea not null,
    state text not null,
    locked_until timestamp with time zone not null,
    status_code bigint,
    outcome bytea,
    created_at timestamp with time zone not null default now(),
    finished_at timestamp with time zone,
    primary key (account_id, request_id)
);
comment on table payment_kit.requests is
'The outcome of every write by its request_id, so that a repeated call answers the same and happens once.';
create index requests_created on payment_kit.requests (created_at);

create table payment_kit.sync_state (
    account_id text not null,
    stream text not null,
    complete_through timestamp with time zone,
    position jsonb not null default '{}',
    objects bigint not null default 0,
    started_at timestamp with time zone,
    finished_at timestamp with time zone,
    primary key (account_id, stream)
);
comment on table payment_kit.sync_state is
'How far each stream has been read from Stripe. complete_through is in Stripe''s time: everything before it is in the mirror.';

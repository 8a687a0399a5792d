-- Who may call the service, by which key or certificate, how much, and what each of them did.
set local lock_timeout = '5s';
set local statement_timeout = '60s';

create table payment_kit.callers (
    account_id text not null,
    name text not null,
    roles text [] not null,
    calls_per_second double precision check (calls_per_second > 0),
    max_amounts jsonb not null default '{}',
    created_at timestamp with time zone not null default now(),
    expires_at timestamp with time zone,
    primary key (account_id, name)
);
comment on table payment_kit.callers is
'Programs that may call the service for an account.';
comment on column payment_kit.callers.roles is
'What it may do, in the words of the contract''s Role: reader, payments, refunds, admin.';
comment on column payment_kit.callers.calls_per_second is
'How many calls each process takes from it in a second; null: as many as it makes.';
comment on column payment_kit.callers.max_amounts is
'The largest amount of one payment and of one refund in minor units, {"refunds": {"usd": 50000}}. For a role that is here every other currency is refused.';
comment on column payment_kit.callers.expires_at is
'Nothing of it is accepted from then on.';

create table payment_kit.caller_keys (
    id text primary key,
    account_id text not null,
    caller text not null,
    secret_hash bytea not null check (octet_length(secret_hash) = 32),
    created_at timestamp with time zone not null default now(),
    expires_at timestamp with time zone,
    last_used_at timestamp with time zone,
    revoked_at timestamp with time zone,
    foreign key (account_id, caller) references payment_kit.callers (account_id, name)
);
create index caller_keys_caller on payment_kit.caller_keys (account_id, caller);
comment on table payment_kit.caller_keys is
'API keys of callers, at most two valid ones of each.';
comment on column payment_kit.caller_keys.secret_hash is
'SHA-256 of the key''s secret, 256 random bits; the secret itself is stored nowhere.';
comment on column payment_kit.caller_keys.last_used_at is
'Exact to a minute.';

create table payment_kit.caller_certificates (
    account_id text not null,
    identity text not null,
    caller text not null,
    created_at timestamp with time zone not null default now(),
    primary key (account_id, identity),
    foreign key (account_id, caller) references payment_kit.callers (account_id, name)
);
comment on table payment_kit.caller_certificates is
'Whose certificates are whose: the identity in a client certificate and the caller it stands for.';
comment on column payment_kit.caller_certificates.identity is
'The certificate''s SPIFFE id, otherwise its DNS name, otherwise its common name.';

create table payment_kit.audit (
    id bigint generated always as identity primary key,
    account_id text not null,
    caller text not null,
    method text not null,
    request_id text not null,
    object_id text not null,
    code text not null,
    times bigint not null check (times > 0),
    at timestamp with time zone not null default now()
);
comment on table payment_kit.audit is
'Append-only: every write that was decided, stored in the transaction that changed the mirror, and every refusal.';
comment on column payment_kit.audit.caller is
'Empty when it was not known who called; anonymous when the service asks nobody who he is.';
comment on column payment_kit.audit.code is
'OK, or the reason of the error.';
comment on column payment_kit.audit.times is
'Refusals of one kind that came within a moment stand in one row.';

create table payment_kit.audit_unsealed (
    id bigint primary key
);
comment on table payment_kit.audit_unsealed is
'Rows of payment_kit.audit that have no place in the chain yet, which is for about a second.';

create table payment_kit.audit_seals (
    account_id text not null,
    position bigint not null check (position > 0),
    audit_id bigint not null,
    hash bytea not null check (octet_length(hash) = 32),
    primary key (account_id, position),
    unique (audit_id)
);
comment on table payment_kit.audit_seals is
'The chain: each hash is SHA-256 over the one before it and the audit row it seals. One chain for each account.';

create trigger audit_kept before update or delete or truncate on payment_kit.audit
for each statement execute function payment_kit.kept();
create trigger audit_seals_kept before update or delete or truncate on payment_kit.audit_seals
for each statement execute function payment_kit.kept();

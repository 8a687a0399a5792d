-- What every row held before, what changed when and why, and which reads of Stripe are still owed.
-- No released version had these tables: they are small where they exist, and may be locked for a moment.
-- squawk-ignore-file adding-not-nullable-field, require-concurrent-index-deletion, require-concurrent-index-creation
set local lock_timeout = '5s';
set local statement_timeout = '600s';

alter table payment_kit.accounts add column platform text;
comment on column payment_kit.accounts.platform is 'The account of the key a connected account is reached with; null for that account itself.';

alter table payment_kit.inbox add column platform text;
update payment_kit.inbox set platform = account_id;
alter table payment_kit.inbox alter column platform set not null;
comment on column payment_kit.inbox.platform is 'The account of the key this event came by; account_id is the one it is about.';
drop index payment_kit.inbox_waiting;
create index inbox_waiting on payment_kit.inbox (platform, available_at) where outcome is null;

comment on table payment_kit.versions is
'Append-only: every state of every object that is in no row: what a row held before, and what came too late to be in one.';

create table payment_kit.owed (
    platform text not null,
    account_id text not null,
    object text not null,
    id text not null,
    part text not null default '',
    livemode boolean not null,
    reason text not null,
    since timestamp with time zone not null,
    token bigint not null default 1,
    attempts bigint not null default 0,
    available_at timestamp with time zone not null default now(),
    last_error text,
    primary key (account_id, object, id, part)
);
comment on table payment_kit.owed is
'Reads of Stripe that are owed: objects whose newest state the events do not tell, and lists that hang on them (part names the kind listed).';
comment on column payment_kit.owed.reason is
'tie (states of one second in no known order), parts (more than the payload holds), version (sent in an older shape), thin (a notification without the object), reference (known by its id only).';
comment on column payment_kit.owed.since is 'Stripe''s time of the oldest reason; the mirror is complete only before it.';
comment on column payment_kit.owed.token is 'Grows with each new reason, so a read begun before one does not settle it.';
create index owed_waiting on payment_kit.owed (platform, available_at);

create table payment_kit.changes (
    position bigint generated always as identity primary key,
    account_id text not null,
    object text not null,
    id text not null,
    operation text not null,
    event text not null,
    before_event text,
    recorded_at timestamp with time zone not null default now()
);
comment on table payment_kit.changes is
'The outbox: one row for each row of schema stripe that was inserted, updated or deleted, written in the same transaction.';
comment on column payment_kit.changes.event is 'What caused it: the id of the event, or read:<request id>.';
comment on column payment_kit.changes.before_event is 'What had caused the state before; its payload is in payment_kit.versions.';
comment on column payment_kit.changes.operation is
'insert, update or delete. What follows these ends with the rows that are not deleted; a delete may be told of what was never there, or twice.';
create index changes_of_object on payment_kit.changes (account_id, object, id, position);

create function payment_kit.inserted() returns trigger language plpgsql as $$
begin
    insert into payment_kit.changes (account_id, object, id, operation, event)
    select account_id, tg_argv[0], id, case when deleted_at is null then 'insert' else 'delete' end, source_event
    from fresh order by id;
    return null;
end
$$;
comment on function payment_kit.inserted() is 'Tells of new rows in the outbox.';

create function payment_kit.replaced() returns trigger language plpgsql as $$
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
$$;
comment on function payment_kit.replaced() is 'Keeps what a row held in the versions, and tells of the change in the outbox.';

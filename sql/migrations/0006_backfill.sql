-- The first copy in pieces that several readers take at once, and what it has to look for.
set local lock_timeout = '5s';
set local statement_timeout = '60s';

create table payment_kit.backfill_windows (
    id bigint generated always as identity primary key,
    account_id text not null,
    stream text not null,
    listing text not null,
    started_at timestamp with time zone not null,
    created_from timestamp with time zone,
    created_before timestamp with time zone,
    after text not null default '',
    reached_at timestamp with time zone,
    boundary text [] default '{}',
    objects bigint not null default 0,
    finished boolean not null default false
);
comment on table payment_kit.backfill_windows is
'The pieces of a backfill under way: each a range of creation times of one list of Stripe''s, and how far it is read. A stream that was read to its end has none.';
comment on column payment_kit.backfill_windows.started_at is 'Stripe''s time before the first request of the stream: through it the stream is complete in the end.';
comment on column payment_kit.backfill_windows.created_from is 'Inclusive; null: from the beginning.';
comment on column payment_kit.backfill_windows.created_before is 'Exclusive; null: to the end.';
comment on column payment_kit.backfill_windows.after is 'The last object (or parent) whose page is in the mirror; the reading goes on behind it.';
comment on column payment_kit.backfill_windows.reached_at is 'When that object was created: newest come first.';
comment on column payment_kit.backfill_windows.boundary is 'The objects read that were created in that very second: the next page may hold more of it. Null: too many to keep.';
create index backfill_windows_stream on payment_kit.backfill_windows (account_id, stream);

create table payment_kit.backfill_missed (
    account_id text not null,
    stream text not null,
    id text not null,
    missed_at timestamp with time zone not null,
    primary key (account_id, stream, id)
);
comment on table payment_kit.backfill_missed is
'Rows that a list of Stripe''s should have shown and did not; each is asked for by itself before it counts as deleted.';

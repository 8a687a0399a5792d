-- name: demo.other_accounts
-- Accounts of a real Stripe: the demo never touches a database that holds one.
select account_id
from payment_kit.accounts
where account_id not like 'acct\_sandbox%%'
order by account_id;

-- name: demo.tables
-- Everything the demo empties: the mirror and what payment_kit keeps, but not the record of migrations.
select table_schema, table_name
from information_schema.tables
where
    table_type = 'BASE TABLE'
    and (table_schema = 'stripe' or (table_schema = 'payment_kit' and table_name <> 'schema_migrations'))
order by table_schema, table_name;

-- name: demo.inbox
-- The events of an account and what became of them.
select
    count(*) as stored,
    coalesce(sum(deliveries), 0)::bigint as deliveries,
    count(*) filter (where outcome in ('applied', 'stale', 'unmapped') and applied_at is not null) as finished,
    count(*) filter (where outcome is null) as waiting,
    count(*) filter (where outcome = 'dead') as dead
from payment_kit.inbox
where account_id = %(account_id)s;

-- name: demo.events
-- The bodies of the events that are stored and finished.
select
    event_id,
    body
from payment_kit.inbox
where account_id = %(account_id)s and outcome in ('applied', 'stale', 'unmapped') and applied_at is not null;

-- name: demo.payout_items
-- Which balance transactions each payout pays out.
select
    payout_id,
    balance_transaction_id
from stripe.payout_balance_transactions
where account_id = %(account_id)s;

-- name: demo.applied_twice
-- States of one object that came from one event more than once; must be none.
select count(*)
from (
    select 1
    from payment_kit.versions
    where account_id = %(account_id)s
    group by object, id, source_event
    having count(*) > 1
) as twice;

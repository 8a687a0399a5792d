-- name: accounts.remember
-- Remember the account of a key; answers the mode its data is stored in, which never changes.
insert into payment_kit.accounts as known (account_id, livemode, display_name)
values (%(account_id)s::text, %(livemode)s::boolean, %(display_name)s::text)
on conflict (account_id) do update
set
    display_name = excluded.display_name,
    platform = case when known.livemode = excluded.livemode then null else known.platform end
returning livemode;

-- name: accounts.remember_connected
-- Remember the accounts a platform lists and those whose events came by its key. The inbox is walked from account to
-- account along its key, however many events it holds. An account that has a key of its own stays its own.
with recursive heard as (
    (
        select account_id, platform
        from payment_kit.inbox
        order by account_id
        limit 1
    )
    union all
    select next.account_id, next.platform
    from heard
    cross join lateral (
        select inbox.account_id, inbox.platform
        from payment_kit.inbox
        where inbox.account_id > heard.account_id
        order by inbox.account_id
        limit 1
    ) as next
),

found as (
    select id as account_id, coalesce(business_name, raw->'settings'->'dashboard'->>'display_name') as display_name
    from stripe.accounts
    where account_id = %(platform)s::text and deleted_at is null
    union all
    select account_id, null
    from heard
    where platform = %(platform)s::text
)

insert into payment_kit.accounts as known (account_id, livemode, display_name, platform)
select distinct on (account_id)
    account_id,
    %(livemode)s::boolean,
    display_name,
    %(platform)s::text
from found
where account_id <> %(platform)s::text
order by account_id, display_name
on conflict (account_id) do update
set display_name = coalesce(excluded.display_name, known.display_name)
where known.platform = excluded.platform and known.display_name is distinct from excluded.display_name;

-- name: accounts.connected
-- The accounts connected to a platform.
select
    account_id,
    display_name
from payment_kit.accounts
where platform = %(platform)s::text and livemode = %(livemode)s::boolean
order by account_id;

-- name: accounts.platform
-- The platform an account is connected to; null for one with a key of its own, no row for a stranger.
select platform
from payment_kit.accounts
where account_id = %(account_id)s::text;

-- name: audit.add
-- Rows of the audit, each to be sealed soon.
with added as (
    insert into payment_kit.audit (account_id, caller, method, request_id, object_id, code, times)
    select %(account_id)s, row.caller, row.method, row.request_id, row.object_id, row.code, row.times
    from unnest(
        %(callers)s::text [], %(methods)s::text [], %(request_ids)s::text [], %(object_ids)s::text [],
        %(codes)s::text [], %(times)s::bigint []
    ) as row (caller, method, request_id, object_id, code, times)
    returning id
)
insert into payment_kit.audit_unsealed (id) select id from added;

-- name: audit.alone
-- Whether this transaction is the one that seals.
select pg_try_advisory_xact_lock(hashtextextended('payment_kit.audit', 0));

-- name: audit.take
-- The oldest rows that have no place in the chain; who seals them takes them off the list.
with taken as (
    delete from payment_kit.audit_unsealed
    where id in (
        select waiting.id from payment_kit.audit_unsealed as waiting
        inner join payment_kit.audit as entry on entry.id = waiting.id
        where entry.account_id = %(account_id)s
        order by waiting.id limit %(limit)s
    )
    returning id
)
select
    entry.id, entry.account_id, entry.caller, entry.method, entry.request_id, entry.object_id, entry.code,
    entry.times, (extract(epoch from entry.at) * 1000000)::bigint as at
from payment_kit.audit as entry
inner join taken on taken.id = entry.id
order by entry.id;

-- name: audit.head
-- The end of the chain.
select position, hash from payment_kit.audit_seals
where account_id = %(account_id)s
order by position desc limit 1;

-- name: audit.seal
-- Put rows at the end of the chain.
insert into payment_kit.audit_seals (account_id, position, audit_id, hash)
select %(account_id)s, row.position, row.audit_id, row.hash
from unnest(%(positions)s::bigint [], %(ids)s::bigint [], %(hashes)s::bytea []) as row (position, audit_id, hash);

-- name: audit.sealed
-- A piece of the chain with the rows it seals, where they are still there.
select
    seal.position, seal.audit_id, seal.hash, entry.id is not null as there,
    entry.id, entry.account_id, entry.caller, entry.method, entry.request_id, entry.object_id, entry.code,
    entry.times, (extract(epoch from entry.at) * 1000000)::bigint as at
from payment_kit.audit_seals as seal
left join payment_kit.audit as entry on entry.id = seal.audit_id
where seal.account_id = %(account_id)s and seal.position > %(after)s
order by seal.position limit %(limit)s;

-- name: audit.strangers
-- Rows that are in no chain and do not wait to be: nobody who writes the audit put them there.
select entry.id from payment_kit.audit as entry
where entry.account_id = %(account_id)s
and not exists (select from payment_kit.audit_seals as seal where seal.audit_id = entry.id)
and not exists (select from payment_kit.audit_unsealed as waiting where waiting.id = entry.id)
order by entry.id limit %(limit)s;

-- name: audit.waiting
-- How many rows wait for their place in the chain, and how many of the list are gone.
select count(entry.id), count(*) filter (where entry.id is null)
from payment_kit.audit_unsealed as waiting
left join payment_kit.audit as entry on entry.id = waiting.id
where entry.account_id = %(account_id)s or entry.id is null;

-- name: audit.list
-- The newest rows.
select id, at, caller, method, request_id, object_id, code, times from payment_kit.audit
where account_id = %(account_id)s
and (%(caller)s::text is null or caller = %(caller)s)
and (not %(refused)s or code <> 'OK')
order by id desc limit %(limit)s;

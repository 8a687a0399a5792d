-- name: access.read
-- Every caller of an account with what may prove who calls: its valid keys and its certificates.
select
    caller.name,
    caller.roles,
    caller.calls_per_second,
    caller.max_amounts,
    extract(epoch from caller.expires_at)::float8 as expires,
    coalesce(keys.found, '[]') as keys,
    coalesce(certificates.found, '[]') as identities
from payment_kit.callers as caller
left join lateral (
    select
        jsonb_agg(
            jsonb_build_array(key.id, encode(key.secret_hash, 'hex'), extract(epoch from key.expires_at)::float8)
        ) as found
    from payment_kit.caller_keys as key
    where key.account_id = caller.account_id and key.caller = caller.name and key.revoked_at is null
) as keys on true
left join lateral (
    select jsonb_agg(certificate.identity) as found
    from payment_kit.caller_certificates as certificate
    where certificate.account_id = caller.account_id and certificate.caller = caller.name
) as certificates on true
where caller.account_id = %(account_id)s;

-- name: access.lock
-- One change at a time to the keys of a caller. No row: there is no such caller.
select name from payment_kit.callers where account_id = %(account_id)s and name = %(name)s for update;

-- name: access.save_caller
-- A new caller, or an old one with what is given now; null leaves what it has.
insert into payment_kit.callers as known (account_id, name, roles, calls_per_second, max_amounts, expires_at)
values (
    %(account_id)s, %(name)s, coalesce(%(roles)s::text [], '{}'), %(calls_per_second)s,
    coalesce(%(max_amounts)s::jsonb, '{}'), %(caller_expires)s
)
on conflict (account_id, name) do update set
roles = coalesce(%(roles)s::text [], known.roles),
calls_per_second = coalesce(excluded.calls_per_second, known.calls_per_second),
max_amounts = coalesce(%(max_amounts)s::jsonb, known.max_amounts),
expires_at = coalesce(excluded.expires_at, known.expires_at)
returning name, roles, calls_per_second, max_amounts, expires_at;

-- name: access.valid_keys
-- The keys of a caller that open the door today.
select id from payment_kit.caller_keys
where account_id = %(account_id)s
and caller = %(name)s
and revoked_at is null
and (expires_at is null or expires_at > now())
order by created_at, id;

-- name: access.add_key
-- A key of a caller.
insert into payment_kit.caller_keys (id, account_id, caller, secret_hash, expires_at)
values (%(id)s, %(account_id)s, %(name)s, %(secret_hash)s, %(expires)s);

-- name: access.revoke
-- A key is refused from now on; the first time stays. No row: there is no such key.
update payment_kit.caller_keys set revoked_at = coalesce(revoked_at, now())
where account_id = %(account_id)s and id = %(id)s
returning caller, revoked_at;

-- name: access.used
-- When keys were used last.
update payment_kit.caller_keys as key set last_used_at = greatest(key.last_used_at, to_timestamp(used.at))
from unnest(%(ids)s::text [], %(times)s::float8 []) as used (id, at)
where key.id = used.id;

-- name: access.allow_certificate
-- A certificate's identity stands for a caller.
insert into payment_kit.caller_certificates (account_id, identity, caller)
values (%(account_id)s, %(identity)s, %(name)s)
on conflict (account_id, identity) do update set caller = excluded.caller;

-- name: access.list
-- What people see of callers: a row for each key and each certificate, and one for a caller that has none.
select
    caller.name,
    caller.roles,
    caller.calls_per_second,
    caller.max_amounts,
    proof.id,
    proof.identity,
    proof.created_at,
    least(proof.expires_at, caller.expires_at) as expires_at,
    proof.last_used_at,
    proof.revoked_at
from payment_kit.callers as caller
left join (
    select account_id, caller, id, null as identity, created_at, expires_at, last_used_at, revoked_at
    from payment_kit.caller_keys
    union all
    select account_id, caller, null, identity, created_at, null, null, null
    from payment_kit.caller_certificates
) as proof on proof.account_id = caller.account_id and proof.caller = caller.name
where caller.account_id = %(account_id)s
order by caller.name, proof.created_at, proof.id;

-- name: requests.claim
-- Take a write that nobody has begun, or whose lease is over. No row: look with requests.read.
-- `plan` is what the earlier try had already settled; `forgotten` says that Stripe may have dropped its idempotency key.
insert into payment_kit.requests as known (account_id, request_id, method, request_hash, state, locked_until)
values (
    %(account_id)s, %(request_id)s, %(method)s, %(request_hash)s, 'running',
    now() + make_interval(secs => %(lease_seconds)s)
)
on conflict (account_id, request_id) do update set
locked_until = excluded.locked_until,
attempt = known.attempt + 1
where known.state = 'running'
and known.locked_until <= now()
and known.method = excluded.method
and known.request_hash = excluded.request_hash
returning attempt, outcome as plan, created_at < now() - make_interval(secs => %(key_life_seconds)s) as forgotten;

-- name: requests.read
-- What is known of a write. `same` says whether it was the same request.
select
    state,
    outcome,
    method = %(method)s and request_hash = %(request_hash)s as same
from payment_kit.requests
where account_id = %(account_id)s and request_id = %(request_id)s;

-- name: requests.renew
-- Hold a running write a little longer; no row when it was taken over or released.
update payment_kit.requests set locked_until = now() + make_interval(secs => %(lease_seconds)s)
where account_id = %(account_id)s
and request_id = %(request_id)s
and state = 'running'
and attempt = %(attempt)s
returning attempt;

-- name: requests.plan
-- Keep what a repetition must send again exactly, before Stripe is asked; the first one stays. No row: somebody else
-- has finished.
update payment_kit.requests set outcome = coalesce(outcome, %(plan)s)
where account_id = %(account_id)s and request_id = %(request_id)s and state = 'running'
returning outcome;

-- name: requests.finish
-- Keep the outcome; the first one stays, and is written into the audit. No row: somebody else's counts. An answer of
-- Stripe's counts whoever got it, because everyone asks under one key; an error only from who still holds the write.
with finished as (
    update payment_kit.requests set
        state = 'done',
        status_code = %(status_code)s,
        outcome = %(outcome)s,
        finished_at = now()
    where account_id = %(account_id)s
    and request_id = %(request_id)s
    and state = 'running'
    and (attempt = %(attempt)s or %(status_code)s = 200)
    returning account_id, request_id, method, attempt
),

audited as (
    insert into payment_kit.audit (account_id, caller, method, request_id, object_id, code, times)
    select account_id, %(caller)s, method, request_id, %(object_id)s, %(code)s, 1 from finished
    returning id
),

waiting as (
    insert into payment_kit.audit_unsealed (id) select id from audited
)

select attempt from finished;

-- name: requests.release
-- Let the same request be tried again at once; only by who still holds it. A renewal under way holds nothing any more.
update payment_kit.requests set
    locked_until = now(),
    attempt = attempt + 1
where account_id = %(account_id)s
and request_id = %(request_id)s
and state = 'running'
and attempt = %(attempt)s;

-- name: payments.customer
select raw, source_event, extract(epoch from source_time)::bigint from stripe.customers
where account_id = %(account_id)s and id = %(id)s and deleted_at is null;

-- name: payments.product
select raw, source_event, extract(epoch from source_time)::bigint from stripe.products
where account_id = %(account_id)s and id = %(id)s and deleted_at is null;

-- name: payments.price
select raw, source_event, extract(epoch from source_time)::bigint from stripe.prices
where account_id = %(account_id)s and id = %(id)s and deleted_at is null;

-- name: payments.payment_method
select raw, source_event, extract(epoch from source_time)::bigint from stripe.payment_methods
where account_id = %(account_id)s and id = %(id)s and deleted_at is null;

-- name: payments.payment_intent
select raw, source_event, extract(epoch from source_time)::bigint from stripe.payment_intents
where account_id = %(account_id)s and id = %(id)s and deleted_at is null;

-- name: payments.refund
select raw, source_event, extract(epoch from source_time)::bigint from stripe.refunds
where account_id = %(account_id)s and id = %(id)s and deleted_at is null;

-- name: payments.charge
select raw, source_event, extract(epoch from source_time)::bigint from stripe.charges
where account_id = %(account_id)s and id = %(id)s and deleted_at is null;

-- name: payments.list_products
-- One page, newest first, of what comes after (created, id).
select raw, extract(epoch from created)::bigint, id from stripe.products
where account_id = %(account_id)s
and deleted_at is null
and (%(active)s::boolean is null or active = %(active)s)
and (created, id) < (to_timestamp(%(created)s), %(id)s)
order by created desc, id desc
limit %(limit)s;

-- name: payments.list_prices
-- One page, newest first, of what comes after (created, id).
select raw, extract(epoch from created)::bigint, id from stripe.prices
where account_id = %(account_id)s
and deleted_at is null
and (%(active)s::boolean is null or active = %(active)s)
and (%(product)s::text is null or product = %(product)s)
and (created, id) < (to_timestamp(%(created)s), %(id)s)
order by created desc, id desc
limit %(limit)s;

-- name: payments.list_payment_methods
-- One page, newest first, of what comes after (created, id).
select raw, extract(epoch from created)::bigint, id from stripe.payment_methods
where account_id = %(account_id)s
and deleted_at is null
and customer = %(customer)s
and (created, id) < (to_timestamp(%(created)s), %(id)s)
order by created desc, id desc
limit %(limit)s;

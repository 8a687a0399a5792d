-- Views over the books (DuckDB). Every amount is in minor units of the row's currency; every time is UTC.

-- When a payout leaves the balance: on arrival if automatic, on creation if manual (docs.stripe.com/reports/payout-reconciliation,
-- effective_at). One that comes back before it arrived is effective when it came back, and none before it was created, so that
-- at any moment its items are either still in the balance or paid out, never both.
create view dated_payouts as
select
    payouts.*,
    coalesce(payouts.balance_transaction, moves.paid_by) as own_transaction,
    case
        when payouts.automatic
            then least(
                greatest(coalesce(payouts.arrival_date, payouts.created), payouts.created),
                coalesce(moves.reversed_at, 'infinity'::timestamp)
            )
        else payouts.created
    end as effective_at,
    moves.reversed_at,
    payouts.automatic and payouts.reconciliation_status = 'completed' and itemised.payout_id is not null as itemised,
    itemised.items as items_listed
from payouts
left join (
    select
        source,
        min(id) filter (where type = 'payout') as paid_by,
        min(created) filter (where type in ('payout_failure', 'payout_cancel')) as reversed_at
    from balance_transactions
    where type in ('payout', 'payout_failure', 'payout_cancel')
    group by source
) as moves on moves.source = payouts.id
left join payout_itemisations as itemised on itemised.payout_id = payouts.id;

-- Which payout paid a balance transaction out. A payout's own transaction is settled by that payout.
create view settlements as
select
    links.balance_transaction_id,
    min(links.payout_id) as payout_id
from (
    select balance_transaction_id, payout_id from payout_items
    union all
    select own_transaction, id from dated_payouts where itemised and own_transaction is not null
) as links
semi join dated_payouts on dated_payouts.id = links.payout_id and dated_payouts.itemised
group by links.balance_transaction_id;

-- Every balance transaction with the moment it moves the balance (`booked_at`) and the payout that paid it out.
create view postings as
select
    moved.*,
    settled.payout_id,
    paid.effective_at as paid_out_at,
    moved.type = 'payout' and own.id is null as payout_unknown,
    case when moved.type = 'payout' then coalesce(own.effective_at, moved.created) else moved.created end as booked_at,
    moved.reporting_category in ('payout', 'payout_reversal') as is_payout
from balance_transactions as moved
left join settlements as settled on settled.balance_transaction_id = moved.id
left join dated_payouts as paid on paid.id = settled.payout_id
left join dated_payouts as own on moved.type = 'payout' and own.id = moved.source;

-- One row per payout: what its items add up to, by kind, beside what was paid.
create view payout_sums as
select
    dated_payouts.id,
    dated_payouts.currency,
    dated_payouts.status,
    dated_payouts.automatic,
    dated_payouts.created,
    dated_payouts.effective_at,
    dated_payouts.amount,
    dated_payouts.itemised,
    dated_payouts.reconciliation_status,
    dated_payouts.items_listed,
    dated_payouts.own_transaction,
    any_value(own.amount) as own_amount,
    any_value(own.net) as own_net,
    count(links.balance_transaction_id) as items,
    count(links.balance_transaction_id) filter (where found.id is null) as items_missing,
    count(found.id) filter (where found.currency <> dated_payouts.currency) as items_foreign,
    count(item.id) filter (where item.id is distinct from dated_payouts.own_transaction) as transactions,
    coalesce(sum(item.net) filter (where item.id is distinct from dated_payouts.own_transaction), 0)::bigint as items_net,
    coalesce(sum(item.amount) filter (where item.reporting_category = 'charge'), 0)::bigint as charges,
    coalesce(sum(item.amount) filter (where item.reporting_category in ('refund', 'refund_failure')), 0)::bigint as refunds,
    coalesce(sum(item.amount) filter (where item.reporting_category in ('dispute', 'dispute_reversal')), 0)::bigint as disputes,
    coalesce(sum(item.amount) filter (
        where item.reporting_category not in ('charge', 'refund', 'refund_failure', 'dispute', 'dispute_reversal')
        and item.id is distinct from dated_payouts.own_transaction
    ), 0)::bigint as other,
    coalesce(-sum(item.fee) filter (where item.id is distinct from dated_payouts.own_transaction), 0)::bigint as fees
from dated_payouts
left join balance_transactions as own on own.id = dated_payouts.own_transaction
left join payout_items as links on links.payout_id = dated_payouts.id and dated_payouts.itemised
left join balance_transactions as found on found.id = links.balance_transaction_id
left join balance_transactions as item on item.id = found.id and item.currency = dated_payouts.currency
group by all;

-- Every object a balance transaction can come from, with the amounts that must equal the stored object.
create view sources as
select 'charge' as kind, id, currency, created, balance_transaction,
    amount = raw_amount and amount_captured = raw_amount_captured and amount_refunded = raw_amount_refunded as agrees,
    amount - raw_amount + amount_captured - raw_amount_captured + amount_refunded - raw_amount_refunded as difference
from charges
union all
select 'refund', id, currency, created, balance_transaction, amount = raw_amount, amount - raw_amount from refunds
union all
select 'dispute', id, currency, created, null, amount = raw_amount, amount - raw_amount from disputes
union all
select 'payout', id, currency, created, balance_transaction, amount = raw_amount, amount - raw_amount from payouts;

-- The kind of object an id belongs to (docs.stripe.com/api/balance_transactions/object, source).
create macro kind_of(id) as case
    when starts_with(id, 'ch_') or starts_with(id, 'py_') then 'charge'
    when starts_with(id, 're_') or starts_with(id, 'pyr_') then 'refund'
    when starts_with(id, 'dp_') or starts_with(id, 'du_') then 'dispute'
    when starts_with(id, 'po_') then 'payout'
end;

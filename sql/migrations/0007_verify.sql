-- What a verification leans on: which read wrote a row, and when. The events behind the other rows are in the inbox.
set local lock_timeout = '5s';
set local statement_timeout = '600s';

create table payment_kit.reads (
    account_id text not null,
    event text not null,
    source_time timestamp with time zone not null,
    api_version text,
    primary key (account_id, event, source_time)
);
comment on table payment_kit.reads is
'The reads of Stripe that wrote rows, one row per request and time: what the order key of a row that came by no event is checked against.';
comment on column payment_kit.reads.event is 'read:<request id>, as in source_event.';

insert into payment_kit.reads (account_id, event, source_time, api_version)
select
    account_id,
    source_event,
    source_time,
    max(api_version)
from stripe.customers
where source_event like 'read:%'
group by account_id, source_event, source_time
union all
select
    account_id,
    source_event,
    source_time,
    max(api_version)
from stripe.products
where source_event like 'read:%'
group by account_id, source_event, source_time
union all
select
    account_id,
    source_event,
    source_time,
    max(api_version)
from stripe.prices
where source_event like 'read:%'
group by account_id, source_event, source_time
union all
select
    account_id,
    source_event,
    source_time,
    max(api_version)
from stripe.payment_methods
where source_event like 'read:%'
group by account_id, source_event, source_time
union all
select
    account_id,
    source_event,
    source_time,
    max(api_version)
from stripe.payment_intents
where source_event like 'read:%'
group by account_id, source_event, source_time
union all
select
    account_id,
    source_event,
    source_time,
    max(api_version)
from stripe.charges
where source_event like 'read:%'
group by account_id, source_event, source_time
union all
select
    account_id,
    source_event,
    source_time,
    max(api_version)
from stripe.refunds
where source_event like 'read:%'
group by account_id, source_event, source_time
union all
select
    account_id,
    source_event,
    source_time,
    max(api_version)
from stripe.disputes
where source_event like 'read:%'
group by account_id, source_event, source_time
union all
select
    account_id,
    source_event,
    source_time,
    max(api_version)
from stripe.balance_transactions
where source_event like 'read:%'
group by account_id, source_event, source_time
union all
select
    account_id,
    source_event,
    source_time,
    max(api_version)
from stripe.payouts
where source_event like 'read:%'
group by account_id, source_event, source_time
on conflict do nothing;

-- name: endpoint.versions_seen
-- How many events of the last day Stripe rendered in which version.
select
    coalesce(api_version, 'none'),
    count(*)
from payment_kit.inbox
where account_id = %(account_id)s::text and created >= now() - interval '1 day'
group by 1
order by 1;

-- Each try at a write has a number, so that one that was overtaken is known as such.
set local lock_timeout = '5s';
set local statement_timeout = '60s';

alter table payment_kit.requests add column attempt bigint not null default 1;

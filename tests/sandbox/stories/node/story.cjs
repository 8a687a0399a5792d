// The story of ../test_python.py with the unmodified Node SDK: same chapters, same operations, same amounts.
"use strict";

const assert = require("node:assert/strict");
const Stripe = require("stripe");

const HOUR = 3600;
const DAY = 24 * HOUR;
const [JULY_15, AUGUST_15, SEPTEMBER_15, OCTOBER_15, NOVEMBER_15] = [7, 8, 9, 10, 11].map(
  (month) => Date.UTC(2026, month - 1, 15) / 1000,
);
const BASIC = 2000;
const PRO = 5000;
const POLLS_MAX = 200;
const POLL_MILLISECONDS = 50;

const base = new URL(process.env.SANDBOX_URL);
const key = process.env.SANDBOX_KEY;
const stripe = new Stripe(key, {
  host: base.hostname,
  port: base.port,
  protocol: "http",
  maxNetworkRetries: 0,
  telemetry: false,
});

// Stripe moves a test clock in the background; the story goes on when it stands there.
async function advance(story, to) {
  await stripe.testHelpers.testClocks.advance(story.clock, { frozen_time: to });
  for (let polls = 0; polls < POLLS_MAX; polls++) {
    if ((await stripe.testHelpers.testClocks.retrieve(story.clock)).status === "ready") return;
    await new Promise((resolve) => setTimeout(resolve, POLL_MILLISECONDS));
  }
  assert.fail("the test clock does not get ready");
}

async function moveAccountClock(seconds) {
  const answer = await fetch(new URL("/_sandbox/clock", base), {
    method: "POST",
    headers: { Authorization: `Bearer ${key}` },
    body: JSON.stringify({ advance_seconds: seconds }),
  });
  assert.equal(answer.status, 200);
}

async function all(list) {
  const found = [];
  for await (const one of list) found.push(one);
  return found;
}

async function invoices(story) {
  return (await stripe.invoices.list({ subscription: story.subscription })).data;
}

async function status(story) {
  return (await stripe.subscriptions.retrieve(story.subscription)).status;
}

async function payWith(story, card) {
  const method = await stripe.paymentMethods.attach(card, { customer: story.customer });
  await stripe.customers.update(story.customer, { invoice_settings: { default_payment_method: method.id } });
}

async function opened(story) {
  const product = await stripe.products.create({ name: "Tea club", metadata: { season: "2026" } });
  story.prices = {};
  for (const [name, amount] of [["basic", BASIC], ["pro", PRO]]) {
    const price = await stripe.prices.create({
      product: product.id,
      currency: "usd",
      unit_amount: amount,
      recurring: { interval: "month" },
      lookup_key: name,
    });
    assert.deepEqual([price.unit_amount, price.recurring.interval, price.type], [amount, "month", "recurring"]);
    story.prices[name] = price.id;
  }
  const found = await stripe.prices.list({ lookup_keys: ["basic", "pro"], expand: ["data.product"] });
  assert.deepEqual(found.data.map((price) => price.product.name), ["Tea club", "Tea club"]);

  const start = Date.UTC(2026, 6, 1) / 1000;
  const clock = await stripe.testHelpers.testClocks.create({ frozen_time: start, name: "story" });
  const customer = await stripe.customers.create({ email: "ada@example.com", test_clock: clock.id });
  assert.deepEqual([clock.status, customer.test_clock], ["ready", clock.id]);
  story.clock = clock.id;
  story.customer = customer.id;
  await payWith(story, "pm_card_visa");
}

async function trial(story) {
  const made = await stripe.subscriptions.create({
    customer: story.customer,
    items: [{ price: story.prices.basic }],
    trial_period_days: 14,
    expand: ["latest_invoice"],
  });
  assert.deepEqual([made.status, made.trial_end], ["trialing", JULY_15]);
  assert.deepEqual([made.latest_invoice.amount_due, made.latest_invoice.status], [0, "paid"]);
  story.subscription = made.id;

  await advance(story, JULY_15 + 2 * HOUR);
  const subscription = await stripe.subscriptions.retrieve(made.id);
  assert.equal(subscription.status, "active");
  const item = subscription.items.data[0];
  assert.deepEqual([item.current_period_start, item.current_period_end], [JULY_15, AUGUST_15]);
  const [first, zero] = await invoices(story);
  assert.deepEqual([zero.total, first.total, first.status], [0, BASIC, "paid"]);
  assert.equal(first.billing_reason, "subscription_cycle");
}

async function renewal(story) {
  await advance(story, AUGUST_15 + 2 * HOUR);
  const [latest] = await invoices(story);
  assert.deepEqual([latest.total, latest.amount_paid, latest.status], [BASIC, BASIC, "paid"]);
  const line = latest.lines.data[0];
  assert.deepEqual([line.period.start, line.period.end], [AUGUST_15, SEPTEMBER_15]);
  assert.equal(line.pricing.price_details.price, story.prices.basic);
}

async function proration(story) {
  const at = AUGUST_15 + 10 * DAY;
  await advance(story, at);
  const item = (await stripe.subscriptions.retrieve(story.subscription)).items.data[0];
  const change = [{ id: item.id, price: story.prices.pro }];
  const [unused, rest] = [BASIC, PRO].map((amount) => Math.round((amount * (SEPTEMBER_15 - at)) / (31 * DAY)));

  const preview = await stripe.invoices.createPreview({
    subscription: story.subscription,
    subscription_details: { items: change, proration_date: at },
  });
  const amounts = preview.lines.data.map((line) => line.amount).sort((left, right) => left - right);
  assert.deepEqual(amounts, [-unused, rest, PRO]);
  const changed = await stripe.subscriptions.update(story.subscription, {
    items: change,
    proration_date: at,
    proration_behavior: "create_prorations",
  });
  assert.equal(changed.items.data[0].price.id, story.prices.pro);

  await advance(story, SEPTEMBER_15 + 2 * HOUR);
  const [latest] = await invoices(story);
  assert.deepEqual([latest.total, latest.status], [PRO + rest - unused, "paid"]);
  assert.equal(latest.total, preview.total);
}

async function failedPayment(story) {
  await payWith(story, "pm_card_chargeCustomerFail");
  await advance(story, OCTOBER_15 + 2 * HOUR);
  const [latest] = await invoices(story);
  assert.deepEqual([latest.status, latest.attempt_count, latest.amount_remaining], ["open", 1, PRO]);
  assert.notEqual(latest.next_payment_attempt, null);
  assert.equal(await status(story), "past_due");
  story.unpaid = latest.id;
}

async function dunning(story) {
  const { next_payment_attempt: attempt } = await stripe.invoices.retrieve(story.unpaid);
  await advance(story, attempt + HOUR);
  const invoice = await stripe.invoices.retrieve(story.unpaid);
  assert.deepEqual([invoice.status, invoice.attempt_count], ["open", 2]);
  await assert.rejects(stripe.invoices.pay(story.unpaid), { type: "StripeCardError", code: "card_declined" });
  assert.equal(await status(story), "past_due");
}

async function recovery(story) {
  await payWith(story, "pm_card_mastercard");
  const paid = await stripe.invoices.pay(story.unpaid);
  assert.deepEqual([paid.status, paid.amount_paid, paid.amount_remaining], ["paid", PRO, 0]);
  assert.equal(await status(story), "active");
}

async function refund(story) {
  const { data: [payment] } = await stripe.invoicePayments.list({ invoice: story.unpaid, status: "paid" });
  const intent = payment.payment.payment_intent;
  const made = await stripe.refunds.create({ payment_intent: intent, amount: 1000 });
  assert.deepEqual([made.status, made.amount], ["succeeded", 1000]);
  await assert.rejects(stripe.refunds.create({ payment_intent: intent, amount: PRO - 1000 + 1 }), {
    type: "StripeInvalidRequestError",
    message: /greater than/,
  });
  const found = await stripe.paymentIntents.retrieve(intent, { expand: ["latest_charge"] });
  assert.deepEqual([found.latest_charge.amount_refunded, found.latest_charge.refunded], [1000, false]);
}

async function dispute() {
  const paid = await stripe.paymentIntents.create({
    amount: 3000,
    currency: "usd",
    payment_method: "pm_card_createDispute",
    confirm: true,
    automatic_payment_methods: { enabled: true, allow_redirects: "never" },
  });
  const { data: [found] } = await stripe.disputes.list({ payment_intent: paid.id });
  assert.deepEqual([found.status, found.amount, found.reason], ["needs_response", 3000, "fraudulent"]);
  assert.equal(found.balance_transactions.length, 1);
  assert.equal(found.balance_transactions[0].net, -3000 - found.balance_transactions[0].fee);
  await stripe.disputes.update(found.id, { evidence: { uncategorized_text: "winning_evidence" }, submit: true });
  await moveAccountClock(DAY);
  const closed = await stripe.disputes.retrieve(found.id);
  assert.deepEqual([closed.status, closed.balance_transactions.length], ["won", 2]);
}

async function payouts() {
  await moveAccountClock(8 * DAY);
  const { data: paid } = await stripe.payouts.list({ status: "paid" });
  assert.notEqual(paid.length, 0);
  for (const payout of paid) {
    assert.deepEqual([payout.automatic, payout.reconciliation_status], [true, "completed"]);
    const items = await all(stripe.balanceTransactions.list({ payout: payout.id }));
    const net = (own) => items.reduce((sum, item) => sum + ((item.type === "payout") === own ? item.net : 0), 0);
    assert.deepEqual([net(false), -net(true)], [payout.amount, payout.amount]);
  }
}

async function tieOut() {
  const balance = await stripe.balance.retrieve();
  const stands = {};
  for (const part of [...balance.available, ...balance.pending]) {
    stands[part.currency] = (stands[part.currency] ?? 0) + part.amount;
  }
  const moved = {};
  for (const transaction of await all(stripe.balanceTransactions.list({ limit: 3 }))) {
    assert.equal(transaction.net, transaction.amount - transaction.fee);
    moved[transaction.currency] = (moved[transaction.currency] ?? 0) + transaction.net;
  }
  assert.deepEqual(stands, moved);
}

async function farewell(story) {
  const leaving = await stripe.subscriptions.update(story.subscription, { cancel_at_period_end: true });
  assert.deepEqual([leaving.status, leaving.cancel_at_period_end], ["active", true]);
  await advance(story, NOVEMBER_15 + 2 * HOUR);
  assert.equal(await status(story), "canceled");
  assert.equal((await invoices(story)).length, 5);
  const told = {};
  for (const event of await all(stripe.events.list({ limit: 100 }))) told[event.type] = (told[event.type] ?? 0) + 1;
  assert.equal(told["invoice.paid"], 5);
  assert.equal(told["invoice.payment_failed"], 3);
  assert.equal(told["customer.subscription.deleted"], 1);
  assert.equal(told["charge.dispute.closed"], 1);
  for (const type of ["customer.subscription.trial_will_end", "payout.paid", "charge.refunded", "invoice.upcoming"]) {
    assert.ok(told[type], type);
  }
  await stripe.testHelpers.testClocks.del(story.clock);
  assert.equal((await stripe.customers.retrieve(story.customer)).deleted, true);
}

const CHAPTERS = [
  opened, trial, renewal, proration, failedPayment, dunning, recovery, refund, dispute, payouts, tieOut, farewell,
];

(async () => {
  const story = {};
  for (const chapter of CHAPTERS) {
    await chapter(story);
    console.log(chapter.name);
  }
})();

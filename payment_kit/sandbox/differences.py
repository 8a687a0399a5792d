"""What the sandbox does in another way than Stripe, or leaves out; docs/sandbox-differences.md is rendered from it.

Written for people who decide whether it is enough for their tests. What is refused as a whole stands in
docs/sandbox-coverage.md; here stands what one could otherwise take for Stripe's behaviour.
"""

from typing import NamedTuple


class Difference(NamedTuple):
    """One thing that is not as at Stripe: what Stripe does, what the sandbox does, why or what to do about it."""

    topic: str
    stripe: str
    sandbox: str
    so: str = ""


# operations that answer in Stripe's shape and from which nothing else follows: "GET path" -> what does not follow
SHAPE_ONLY: dict[str, str] = {
    "GET account": "what the account is allowed to do is fixed",
    "POST account_links": "its page does not open",
}

DIFFERENCES: tuple[Difference, ...] = (
    Difference(
        "Time",
        "The account lives by the wall clock.",
        "The account has a clock of its own that stands still until it is moved; what was due in between then happens "
        "in its order, with the `created` it would have had.",
        "Move it with `/_sandbox/clock`, the live page or `Sandbox.advance_to`.",
    ),
    Difference(
        "Time",
        "A test clock advances in the background for seconds to minutes.",
        "All of it has happened when the answer goes out; the answer still says `advancing`, the next read `ready`.",
        "Poll as for Stripe.",
    ),
    Difference(
        "Time",
        "Test data moves at test mode's own pace: disputes and refunds within seconds, payouts by the bank's calendar.",
        "Pending refunds take a day and bank debits four days of the clock; payouts know no weekends or holidays.",
        "Advance the clock.",
    ),
    Difference(
        "Ids and texts",
        "Ids, secrets and fingerprints are random.",
        "They follow from the seed, the request and its place: the same story gives the same bytes.",
        "Do not use its secrets for anything real.",
    ),
    Difference(
        "Ids and texts",
        "Messages of errors change without notice.",
        "Types, codes, `param` and decline codes follow Stripe's documentation; the wording only where it is known.",
        "Decide by codes, never by messages.",
    ),
    Difference(
        "Protocol",
        "An operation the account cannot use is answered 404 or 403.",
        "An operation the sandbox does not have is answered 501 with the code `sandbox_unsupported`.",
        "See the coverage page.",
    ),
    Difference(
        "Protocol",
        "Many parameters are taken that most integrations never send.",
        "A parameter that is not honoured is refused with `parameter_unknown`, although Stripe knows it.",
        "See the column *not honoured* of the coverage page.",
    ),
    Difference(
        "Protocol",
        "An old API version also takes that version's parameters.",
        "Answers and events are written in the older shape, parameters are read in their newest form only.",
        "",
    ),
    Difference(
        "Protocol",
        "25 requests a second in a sandbox account, 100 in live mode, 25 for one operation, and limits per resource.",
        "No limit unless it is asked for; then per account and operation, none per resource. 429 comes on demand too.",
        "POST `/_sandbox/faults` with `per_second` and `per_endpoint`, or `rate_limit`; or the `Sandbox-Fault` header.",
    ),
    Difference(
        "Protocol",
        "Idempotency keys are kept for at least 24 hours of the wall clock.",
        "They are kept for a day of the sandbox's clock, at most 50,000 of them.",
        "",
    ),
    Difference(
        "Protocol",
        "Expanding a field that an object cannot have is refused, on an empty list too.",
        "On an empty list nothing is looked at, so nothing is refused.",
        "",
    ),
    Difference(
        "Events and webhooks",
        "Events are delivered in any order, sometimes twice, seconds to days late.",
        "Once and at once, unless a delivery plan says otherwise; eight at a time, so they can overtake each other.",
        "Plan duplicates, reordering, delay, loss and wrong signatures, your handler has to bear them; a `concurrency` "
        "of 1 keeps the order.",
    ),
    Difference(
        "Events and webhooks",
        "Signatures and retries follow the wall clock.",
        "Signatures do too. Retries follow the wall clock with short waits; with `retry` of `stripe` they follow "
        "Stripe's schedule on the sandbox's clock.",
        "",
    ),
    Difference(
        "Events and webhooks",
        "A change of one object can be told in several events; which and in which order is not documented everywhere.",
        "One documented order, always the same.",
        "Do not rely on the order of events of one second.",
    ),
    Difference(
        "Events and webhooks",
        "Thin events go to event destinations, which are made with the API v2; some tell what no snapshot event tells "
        "(`v1.customer.subscription.item_added`).",
        "A webhook endpoint gets thin events when the control API says so, one for each snapshot event; of the API v2 "
        "there is `GET /v2/core/events/{id}` only.",
        "POST `/_sandbox/webhook_endpoints/{id}/event_payload`.",
    ),
    Difference(
        "Payments",
        "Card numbers can be sent by accounts that are allowed to.",
        "Test payment methods and tokens (`pm_card_…`, `tok_…`) only; no card numbers.",
        "That is what docs.stripe.com/testing asks for.",
    ),
    Difference(
        "Payments",
        "More than fifty payment methods.",
        "Cards, US and SEPA bank debits.",
        "Others are refused by name.",
    ),
    Difference(
        "Payments",
        "A customer authenticates on a page of the bank.",
        "The control API does it for the customer; `next_action` holds an address that does not open.",
        "POST `/_sandbox/payment_intents/{id}/authenticate`.",
    ),
    Difference(
        "Payments",
        "Radar scores every payment.",
        "Scores follow from the test card; rules cannot be written.",
        "Use the cards that are made for it (`pm_card_riskLevelHighest`, …).",
    ),
    Difference(
        "Money",
        "Fees are the account's own.",
        "2.9 % and a fixed amount per currency for cards, 0.8 % for bank debits, 15.00 for a dispute, 1 % for "
        "an instant payout.",
        "Compute with `balance_transaction.fee`, never with a rate.",
    ),
    Difference(
        "Money",
        "Rates of exchange move, and the account decides which currencies it settles in.",
        "EUR, JPY, KWD and USD settle as they are, all others in USD at a fixed table of rates.",
        "",
    ),
    Difference(
        "Money",
        "Reserves, minimum balances, negative balances and Stripe Capital.",
        "None; a refund that the balance cannot cover waits or is debited from the bank, by the balance settings.",
        "",
    ),
    Difference(
        "Disputes",
        "Banks decide in weeks or months.",
        "`winning_evidence` and `losing_evidence` decide at once as in Stripe's test mode; what is undecided when "
        "evidence is due is lost.",
        "",
    ),
    Difference(
        "Billing",
        "Failed invoices are tried again when a model expects success (Smart Retries).",
        "Eight more times within two weeks, on fixed days.",
        "",
    ),
    Difference(
        "Billing",
        "What happens after the last retry is a setting of the Dashboard.",
        "The subscription is canceled, unless the control API says otherwise.",
        "POST `/_sandbox/dunning`.",
    ),
    Difference(
        "Billing",
        "Stripe Tax computes tax from addresses.",
        "Tax comes from the tax rates that are set; `automatic_tax` is refused.",
        "",
    ),
    Difference(
        "Billing",
        "Emails, hosted invoice pages, PDFs, receipts and the customer portal.",
        "Nothing is sent; addresses have Stripe's shape and do not open.",
        "",
    ),
    Difference(
        "Protocol",
        "`request_log_url` of an error leads to the request in the Dashboard.",
        "It has the same form, and the request is not there.",
        "Look at the live page or `GET /_sandbox/requests`.",
    ),
    Difference(
        "Events and webhooks",
        "The exact times of retries, and when an endpoint is disabled, are not published.",
        "`retry` of `stripe` tries for three days at growing intervals; `disable_after_days` is 3 by default.",
        "Both are estimates.",
    ),
    Difference(
        "Payments",
        "An inquiry that nobody answers is closed by the bank after months.",
        "It closes after 14 days.",
        "",
    ),
    Difference(
        "Payments",
        "The fee of a bank debit that is returned is the account's contract.",
        "It is given back.",
        "",
    ),
    Difference(
        "Money",
        "Payouts that were made by hand are not itemised.",
        "The next automatic payout lists them with what it paid, so that the balance ties out.",
        "",
    ),
    Difference(
        "Catalogue",
        "Whether redeeming a coupon or promotion code tells of it is not documented.",
        "`coupon.updated` and `promotion_code.updated` are sent when it is counted.",
        "",
    ),
    Difference(
        "Catalogue",
        "Prices are listed; whether archived ones come without `active` is told in different ways.",
        "Active ones only, as its documentation says; inline prices never.",
        "Ask for `active=false` too.",
    ),
    Difference(
        "Entitlements",
        "A feature that is attached to a product reaches its subscribers at their next billing cycle, the Dashboard "
        "says; the documentation is silent.",
        "It reaches them at once, and leaves them at once.",
        "",
    ),
    Difference(
        "Entitlements",
        "With which statuses a subscription entitles is not documented.",
        "`trialing`, `active` and `past_due`.",
        "",
    ),
    Difference(
        "Customers",
        "Tax ids are verified by the authorities.",
        "After a minute of the clock, by the magic numbers of the documentation; formats are checked for six types.",
        "",
    ),
    Difference(
        "Billing",
        "Finalized invoices are charged soon after.",
        "A draft that advances by itself is finalized and charged an hour of the clock after it was made.",
        "",
    ),
    Difference(
        "Billing",
        "`attempt_count` counts tries in ways that changed over the years.",
        "It is 1 after the first try, also when that succeeded.",
        "",
    ),
    Difference(
        "Billing",
        "A percentage discount is computed per line.",
        "It is rounded once on the sum of its lines and then split; tax is rounded half up per line.",
        "Sums agree; a line may differ by one minor unit.",
    ),
    Difference(
        "Billing",
        "A line of a bare amount belongs to an inactive price made for it.",
        "It has `pricing` without `price_details`.",
        "",
    ),
    Difference(
        "Billing",
        "Canceling in the middle of a period follows `proration_behavior`.",
        "`cancel_at` inside a period credits what is left of it, whatever `proration_behavior` says.",
        "",
    ),
    Difference(
        "Billing",
        "Switching between a free and a paid price can move the billing anchor.",
        "It never does.",
        "",
    ),
    Difference(
        "Billing",
        "What becomes of the first invoice when an incomplete subscription ends is settled case by case.",
        "Canceling leaves it open; voiding it ends the subscription as `incomplete_expired`.",
        "",
    ),
    Difference(
        "Billing",
        "`pause_collection` voids or writes off an invoice when it would be finalized.",
        "It does so at renewal, an hour earlier.",
        "",
    ),
    Difference(
        "Billing",
        "A pause can be planned by a schedule, previewed, or follow a failed payment.",
        "It is asked for, or a trial ended without a payment method; `pause_schedules` and previews are refused.",
        "",
    ),
    Difference(
        "Billing",
        "How long ahead `invoice.upcoming` comes is a setting of the Dashboard.",
        "Seven days ahead, and not for periods of a week or less.",
        "",
    ),
    Difference(
        "Checkout",
        "A customer fills in the page of a checkout session or a payment link.",
        "There is no page: the session's `url` opens nothing.",
        "Complete a session, or open a link, with the control API.",
    ),
    Difference(
        "Checkout",
        "Shipping, custom fields, consent, tax ids, optional items, recovery of expired sessions.",
        "Their parameters are refused by name.",
        "",
    ),
    Difference(
        "Checkout",
        "Metadata, shipping details and, on some accounts, line items of an open session can be changed.",
        "Metadata only.",
        "",
    ),
    Difference(
        "Checkout",
        "A quote can copy or revise another, begin a subscription later, and is drawn as a PDF.",
        "`from_quote` and `effective_date` are refused, the PDF is answered 501.",
        "",
    ),
    Difference(
        "Connect",
        "Requirements, verification of persons and documents, capabilities that are granted or taken.",
        "An account becomes ready when its terms are accepted, or when the control API plays its owner's onboarding.",
        "",
    ),
    Difference(
        "Connect",
        "Which `account.updated` follow the making of an account is not documented.",
        "One at once, and one with every change.",
        "",
    ),
    Difference(
        "Connect",
        "How a fee that is refunded on its own comes in at the connected account is told by its reporting category "
        "`fee` only.",
        "As an `adjustment` whose source is the charge.",
        "",
    ),
    Difference(
        "Connect",
        "Charges are made on the connected account, for it (`on_behalf_of`), or with `transfer_data`.",
        "Direct charges, and separate charges and transfers; `transfer_data` and `on_behalf_of` are refused by name. "
        "Application fees come with payment intents, not with invoices or subscriptions.",
        "",
    ),
    Difference(
        "Search",
        "The index is up to a minute late, in an outage an hour.",
        "It is never late.",
        "Do not read your own writes with search.",
    ),
)

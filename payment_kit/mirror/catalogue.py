"""Every mirrored Stripe object, once: its table and columns, where Stripe shows it, and what hangs on it.

An entry here drives the tables, the writer, backfill, catch-up, verification and the reading of a single object. Adding
an object is one entry, one migration and one fixture; tests compare the entries with the migrated database, with
Stripe's specification and with the sandbox.
"""

from collections.abc import Mapping

from payment_kit.mirror import progress
from payment_kit.mirror.stripe_object import Listing, Nested, Payload, StripeObject
from payment_kit.mirror.stripe_object import columns as _columns


def _list(path: str, **params: str) -> Listing:
    """The plain list of a kind, filtered by creation time."""
    return Listing(f"/v1/{path}", params, created=True)


def _whole(path: str, **params: str) -> Listing:
    """A list without such a filter: it is read from end to end."""
    return Listing(f"/v1/{path}", params)


def _of_clocks(path: str, **params: str) -> Listing:
    """What hangs on a test clock is in no plain list (docs.stripe.com/billing/testing/test-clocks)."""
    return Listing(f"/v1/{path}", {**params, "test_clock": "{id}"}, per="test_helpers.test_clock")


def _discounted(payload: Payload, _previous: Payload) -> bool:
    """Does it name discounts, which only an expanded read shows?"""
    parts = [payload, *_data(payload, "items"), *_data(payload, "lines")]
    return any(part.get("discounts") for part in parts)


def _data(payload: Payload, field: str) -> list[Payload]:
    nested = payload.get(field)
    return nested.get("data") or [] if isinstance(nested, Mapping) else []


def _invoiced(payload: Payload, previous: Payload) -> bool:
    """A finalized invoice has payments, which its events leave out; any may have discounts."""
    return payload.get("status") not in (None, "draft") or _discounted(payload, previous)


def _itemised(payload: Payload, _previous: Payload) -> bool:
    """Does an invoice bill invoice items, prorations of a subscription too? It may also on a line that is not shown."""
    lines = payload.get("lines") or {}
    parents = [line.get("parent") or {} for line in _data(payload, "lines")]
    details = [parent.get(f"{kind}_item_details") or {} for parent in parents for kind in ("invoice", "subscription")]
    return bool(lines.get("has_more")) or any(one.get("invoice_item") for one in details)


def _always(_payload: Payload, _previous: Payload) -> bool:
    return True


CATALOGUE: Mapping[str, StripeObject] = {
    entry.name: entry
    for entry in (
        StripeObject(
            "account",
            "accounts",
            _columns(
                "type country email business_type default_currency charges_enabled:boolean payouts_enabled:boolean "
                "details_submitted:boolean business_name=business_profile.name metadata:json created:time"
            ),
            at="accounts",
            listings=(_list("accounts"),),
            vanishes=True,
            polled=True,
        ),
        StripeObject(
            "test_helpers.test_clock",
            "test_clocks",
            _columns("name status frozen_time:time deletes_after:time created:time"),
            progress.test_clock,
            at="test_helpers/test_clocks",
            listings=(_whole("test_helpers/test_clocks"),),
            vanishes=True,
        ),
        StripeObject(
            "customer",
            "customers",
            _columns(
                "name email phone description currency balance:bigint delinquent:boolean invoice_prefix "
                "default_payment_method:ref=invoice_settings.default_payment_method tax_exempt test_clock:ref "
                "metadata:json created:time"
            ),
            at="customers",
            listings=(_list("customers"), _of_clocks("customers")),
            expanded=(Nested("tax_ids", "tax_id", "/v1/customers/{id}/tax_ids"),),
            vanishes=True,
        ),
        StripeObject(
            "tax_id",
            "tax_ids",
            _columns(
                "type value country customer:ref owner_type=owner.type verification_status=verification.status "
                "verified_name=verification.verified_name created:time"
            ),
            at="tax_ids",
            listings=(_whole("tax_ids"),),
            vanishes=True,
        ),
        StripeObject(
            "customer_balance_transaction",
            "customer_balance_transactions",
            _columns(
                "amount:bigint ending_balance:bigint currency type customer:ref invoice:ref credit_note:ref "
                "checkout_session:ref description metadata:json created:time"
            ),
            listings=(
                Listing(
                    "/v1/customers/{id}/balance_transactions",
                    per="customer",
                    owed=lambda one, previous: bool(one.get("balance")) or "balance" in previous,
                ),
            ),
            silent=True,
        ),
        StripeObject(
            "product",
            "products",
            _columns(
                "name description active:boolean default_price:ref unit_label tax_code:ref metadata:json "
                "created:time updated:time"
            ),
            progress.updated,
            at="products",
            listings=(_list("products"),),
            vanishes=True,
        ),
        StripeObject(
            "price",
            "prices",
            _columns(
                "product:ref active:boolean currency unit_amount:bigint unit_amount_decimal:numeric type "
                "billing_scheme recurring_interval=recurring.interval "
                "recurring_interval_count:bigint=recurring.interval_count lookup_key nickname metadata:json "
                "created:time"
            ),
            at="prices",
            # docs.stripe.com/api/prices/list: "Returns a list of your active prices ... set active to false"
            listings=(_list("prices", active="true"), _list("prices", active="false")),
        ),
        StripeObject(
            "coupon",
            "coupons",
            _columns(
                "name amount_off:bigint currency percent_off:numeric duration duration_in_months:bigint "
                "max_redemptions:bigint times_redeemed:bigint valid:boolean redeem_by:time metadata:json created:time"
            ),
            progress.redeemed,
            at="coupons",
            listings=(_list("coupons"),),
            vanishes=True,
        ),
        StripeObject(
            "promotion_code",
            "promotion_codes",
            _columns(
                "code coupon:ref=promotion.coupon active:boolean customer:ref expires_at:time max_redemptions:bigint "
                "times_redeemed:bigint metadata:json created:time"
            ),
            progress.redeemed,
            at="promotion_codes",
            listings=(_list("promotion_codes"),),
        ),
        StripeObject(
            "discount",
            "discounts",
            _columns(
                "coupon:ref=source.coupon promotion_code:ref customer:ref subscription subscription_item invoice "
                "invoice_item checkout_session starts_at:time=start ends_at:time=end"
            ),
        ),
        StripeObject(
            "tax_rate",
            "tax_rates",
            _columns(
                "display_name description percentage:numeric inclusive:boolean active:boolean country state "
                "jurisdiction tax_type metadata:json created:time"
            ),
            at="tax_rates",
            listings=(_list("tax_rates"),),
        ),
        StripeObject(
            "payment_method",
            "payment_methods",
            _columns(
                "type customer:ref card_brand=card.brand card_last4=card.last4 card_exp_month:bigint=card.exp_month "
                "card_exp_year:bigint=card.exp_year card_country=card.country card_funding=card.funding "
                "card_fingerprint=card.fingerprint billing_name=billing_details.name "
                "billing_email=billing_details.email metadata:json created:time"
            ),
            at="payment_methods",
            listings=(Listing("/v1/payment_methods", {"customer": "{id}"}, per="customer"),),
        ),
        StripeObject(
            "setup_intent",
            "setup_intents",
            _columns(
                "status usage customer:ref payment_method:ref latest_attempt:ref mandate:ref single_use_mandate:ref "
                "description cancellation_reason last_setup_error_code=last_setup_error.code metadata:json "
                "created:time"
            ),
            progress.ended,
            at="setup_intents",
            listings=(_list("setup_intents"),),
            refers={"mandate": ("mandate", "single_use_mandate")},
            drop=("client_secret", "next_action"),
        ),
        StripeObject(
            "setup_attempt",
            "setup_attempts",
            _columns(
                "status usage setup_intent:ref customer:ref payment_method:ref setup_error_code=setup_error.code "
                "created:time"
            ),
            listings=(
                Listing(
                    "/v1/setup_attempts",
                    {"setup_intent": "{id}"},
                    per="setup_intent",
                    owed=lambda one, _previous: bool(one.get("latest_attempt")),
                    where="latest_attempt is not null",
                ),
            ),
            silent=True,
        ),
        StripeObject(
            "mandate",
            "mandates",
            _columns("status type payment_method:ref accepted_at:time=customer_acceptance.accepted_at"),
            at="mandates",
        ),
        StripeObject(
            "payment_intent",
            "payment_intents",
            _columns(
                "amount:bigint amount_received:bigint amount_capturable:bigint currency status customer:ref "
                "payment_method:ref latest_charge:ref capture_method confirmation_method setup_future_usage "
                "description statement_descriptor receipt_email cancellation_reason canceled_at:time "
                "last_payment_error_code=last_payment_error.code "
                "last_payment_error_decline_code=last_payment_error.decline_code review:ref metadata:json created:time"
            ),
            progress.payment_intent,
            at="payment_intents",
            listings=(_list("payment_intents"),),
            drop=("client_secret", "next_action"),
        ),
        StripeObject(
            "charge",
            "charges",
            _columns(
                "amount:bigint amount_captured:bigint amount_refunded:bigint currency status paid:boolean "
                "captured:boolean refunded:boolean disputed:boolean customer:ref payment_intent:ref "
                "payment_method:ref balance_transaction:ref failure_code failure_message "
                "failure_balance_transaction:ref outcome_type=outcome.type outcome_reason=outcome.reason "
                "payment_method_type=payment_method_details.type card_brand=payment_method_details.card.brand "
                "receipt_email description statement_descriptor application_fee:ref transfer:ref metadata:json "
                "created:time"
            ),
            progress.charge,
            at="charges",
            listings=(_list("charges"),),
        ),
        StripeObject(
            "refund",
            "refunds",
            _columns(
                "amount:bigint currency status reason charge:ref payment_intent:ref balance_transaction:ref "
                "failure_reason failure_balance_transaction:ref pending_reason metadata:json created:time"
            ),
            progress.refund,
            at="refunds",
            listings=(_list("refunds"),),
        ),
        StripeObject(
            "dispute",
            "disputes",
            _columns(
                "amount:bigint currency status reason charge:ref payment_intent:ref is_charge_refundable:boolean "
                "evidence_due_by:time=evidence_details.due_by "
                "network_reason_code=payment_method_details.card.network_reason_code metadata:json created:time"
            ),
            progress.dispute,
            at="disputes",
            listings=(_list("disputes"),),
        ),
        StripeObject(
            "review",
            "reviews",
            _columns("open:boolean reason opened_reason closed_reason charge:ref payment_intent:ref created:time"),
            progress.review,
            at="reviews",
            listings=(_list("reviews"),),
        ),
        StripeObject(
            "radar.early_fraud_warning",
            "early_fraud_warnings",
            _columns("actionable:boolean fraud_type charge:ref payment_intent:ref created:time"),
            at="radar/early_fraud_warnings",
            listings=(_list("radar/early_fraud_warnings"),),
        ),
        StripeObject(
            "balance_transaction",
            "balance_transactions",
            _columns(
                "amount:bigint fee:bigint net:bigint currency type reporting_category status source:ref "
                "available_on:time exchange_rate:numeric description balance_type fee_details:json created:time"
            ),
            progress.balance_transaction,
            at="balance_transactions",
            listings=(_list("balance_transactions"),),
            silent=True,
        ),
        StripeObject(
            "payout",
            "payouts",
            _columns(
                "amount:bigint currency status type method automatic:boolean arrival_date:time "
                "balance_transaction:ref failure_balance_transaction:ref failure_code failure_message "
                "reconciliation_status destination:ref original_payout:ref reversed_by:ref statement_descriptor "
                "trace_id=trace_id.value metadata:json created:time"
            ),
            progress.payout,
            at="payouts",
            listings=(_list("payouts"),),
        ),
        StripeObject(
            "topup",
            "topups",
            _columns(
                "amount:bigint currency status description balance_transaction:ref failure_code failure_message "
                "statement_descriptor transfer_group metadata:json created:time"
            ),
            progress.topup,
            at="topups",
            listings=(_list("topups"),),
        ),
        StripeObject(
            "transfer",
            "transfers",
            _columns(
                "amount:bigint amount_reversed:bigint currency reversed:boolean destination:ref "
                "destination_payment:ref source_transaction:ref source_type balance_transaction:ref transfer_group "
                "description metadata:json created:time"
            ),
            progress.transfer,
            at="transfers",
            listings=(_list("transfers"),),
            carried=(Nested("reversals", "transfer_reversal", "/v1/transfers/{id}/reversals"),),
        ),
        StripeObject(
            "transfer_reversal",
            "transfer_reversals",
            _columns(
                "amount:bigint currency transfer:ref balance_transaction:ref destination_payment_refund:ref "
                "source_refund:ref metadata:json created:time"
            ),
        ),
        StripeObject(
            "application_fee",
            "application_fees",
            _columns(
                "amount:bigint amount_refunded:bigint currency refunded:boolean account:ref application:ref charge:ref "
                "originating_transaction:ref balance_transaction:ref created:time"
            ),
            progress.application_fee,
            at="application_fees",
            listings=(_list("application_fees"),),
            carried=(Nested("refunds", "fee_refund", "/v1/application_fees/{id}/refunds"),),
        ),
        StripeObject(
            "fee_refund",
            "application_fee_refunds",
            _columns("amount:bigint currency fee:ref balance_transaction:ref metadata:json created:time"),
        ),
        StripeObject(
            "subscription",
            "subscriptions",
            _columns(
                "status customer:ref currency collection_method default_payment_method:ref latest_invoice:ref "
                "pending_setup_intent:ref schedule:ref cancel_at:time cancel_at_period_end:boolean canceled_at:time "
                "ended_at:time start_date:time trial_start:time trial_end:time billing_cycle_anchor:time "
                "days_until_due:bigint description test_clock:ref metadata:json created:time"
            ),
            progress.subscription,
            at="subscriptions",
            # docs.stripe.com/api/subscriptions/list: canceled ones only with status=all
            listings=(_list("subscriptions", status="all"), _of_clocks("subscriptions", status="all")),
            carried=(Nested("items", "subscription_item", "/v1/subscription_items?subscription={id}"),),
            expand=("discounts", "items.data.discounts"),
            owed=_discounted,
        ),
        StripeObject(
            "subscription_item",
            "subscription_items",
            _columns(
                "subscription price:ref quantity:bigint current_period_start:time current_period_end:time "
                "metadata:json created:time"
            ),
            copies=frozenset({"price"}),
        ),
        StripeObject(
            "subscription_schedule",
            "subscription_schedules",
            _columns(
                "status customer:ref subscription:ref end_behavior released_subscription canceled_at:time "
                "completed_at:time released_at:time test_clock:ref metadata:json created:time"
            ),
            progress.schedule,
            at="subscription_schedules",
            listings=(_list("subscription_schedules"),),
        ),
        StripeObject(
            "invoice",
            "invoices",
            _columns(
                "number status customer:ref subscription:ref=parent.subscription_details.subscription "
                "quote:ref=parent.quote_details.quote billing_reason collection_method currency amount_due:bigint "
                "amount_paid:bigint amount_remaining:bigint amount_overpaid:bigint subtotal:bigint "
                "subtotal_excluding_tax:bigint total:bigint total_excluding_tax:bigint starting_balance:bigint "
                "ending_balance:bigint pre_payment_credit_notes_amount:bigint post_payment_credit_notes_amount:bigint "
                "attempt_count:bigint attempted:boolean auto_advance:boolean next_payment_attempt:time due_date:time "
                "effective_at:time period_start:time period_end:time finalized_at:time=status_transitions.finalized_at "
                "paid_at:time=status_transitions.paid_at voided_at:time=status_transitions.voided_at "
                "marked_uncollectible_at:time=status_transitions.marked_uncollectible_at default_payment_method:ref "
                "customer_email customer_name customer_tax_exempt test_clock:ref metadata:json created:time"
            ),
            progress.invoice,
            at="invoices",
            listings=(_list("invoices"),),
            carried=(Nested("lines", "line_item", "/v1/invoices/{id}/lines"),),
            expanded=(Nested("payments", "invoice_payment", "/v1/invoice_payments?invoice={id}"),),
            expand=("discounts", "lines.data.discounts"),
            owed=_invoiced,
            vanishes=True,
            drop=("confirmation_secret",),
        ),
        StripeObject(
            "line_item",
            "invoice_line_items",
            _columns(
                "invoice subscription:ref amount:bigint currency subtotal:bigint quantity:bigint "
                "quantity_decimal:numeric description discountable:boolean price:ref=pricing.price_details.price "
                "product:ref=pricing.price_details.product unit_amount_decimal:numeric=pricing.unit_amount_decimal "
                "parent_type=parent.type "
                "subscription_item=parent.subscription_item_details.subscription_item "
                "invoice_item=parent.invoice_item_details.invoice_item "
                "period_start:time=period.start period_end:time=period.end metadata:json"
            ),
        ),
        StripeObject(
            "invoiceitem",
            "invoiceitems",
            _columns(
                "customer:ref invoice:ref amount:bigint net_amount:bigint currency quantity:bigint description "
                "discountable:boolean proration:boolean price:ref=pricing.price_details.price "
                "product:ref=pricing.price_details.product subscription:ref=parent.subscription_details.subscription "
                "period_start:time=period.start period_end:time=period.end date:time test_clock:ref metadata:json"
            ),
            at="invoiceitems",
            listings=(
                _list("invoiceitems"),
                # no event tells when an item goes onto an invoice
                Listing("/v1/invoiceitems", {"invoice": "{id}"}, per="invoice", owed=_itemised, swept=False),
            ),
            expand=("discounts",),
            owed=_discounted,
            vanishes=True,
            polled=True,
        ),
        StripeObject(
            "invoice_payment",
            "invoice_payments",
            _columns(
                "invoice:ref status is_default:boolean amount_paid:bigint amount_requested:bigint currency "
                "payment_type=payment.type payment_intent:ref=payment.payment_intent charge:ref=payment.charge "
                "paid_at:time=status_transitions.paid_at canceled_at:time=status_transitions.canceled_at created:time"
            ),
            progress.ended,
            at="invoice_payments",
            listings=(_list("invoice_payments"),),
        ),
        StripeObject(
            "credit_note",
            "credit_notes",
            _columns(
                "number status type reason customer:ref invoice:ref currency amount:bigint subtotal:bigint "
                "total:bigint discount_amount:bigint pre_payment_amount:bigint post_payment_amount:bigint "
                "out_of_band_amount:bigint customer_balance_transaction:ref memo effective_at:time voided_at:time "
                "metadata:json created:time"
            ),
            progress.ended,
            at="credit_notes",
            listings=(_list("credit_notes"),),
            carried=(Nested("lines", "credit_note_line_item", "/v1/credit_notes/{id}/lines"),),
        ),
        StripeObject(
            "credit_note_line_item",
            "credit_note_line_items",
            _columns(
                "type amount:bigint discount_amount:bigint quantity:bigint unit_amount:bigint "
                "unit_amount_decimal:numeric description invoice_line_item"
            ),
        ),
        StripeObject(
            "checkout.session",
            "checkout_sessions",
            _columns(
                "mode status payment_status currency amount_subtotal:bigint amount_total:bigint customer:ref "
                "customer_email customer_details_email=customer_details.email client_reference_id payment_intent:ref "
                "setup_intent:ref subscription:ref invoice:ref payment_link:ref expires_at:time metadata:json "
                "created:time"
            ),
            progress.session,
            at="checkout/sessions",
            listings=(_list("checkout/sessions"),),
            expanded=(Nested("line_items", "item", "/v1/checkout/sessions/{id}/line_items"),),
            owed=_always,
            drop=("client_secret",),
            polled=True,
        ),
        StripeObject(
            "item",
            "checkout_line_items",
            _columns(
                "price:ref quantity:bigint currency amount_subtotal:bigint amount_discount:bigint amount_tax:bigint "
                "amount_total:bigint description"
            ),
            copies=frozenset({"price"}),
        ),
        StripeObject(
            "payment_link",
            "payment_links",
            _columns("active:boolean currency url submit_type customer_creation metadata:json"),
            at="payment_links",
            listings=(_whole("payment_links"),),
            expanded=(Nested("line_items", "item", "/v1/payment_links/{id}/line_items"),),
            owed=_always,
        ),
        StripeObject(
            "quote",
            "quotes",
            _columns(
                "number status customer:ref currency amount_subtotal:bigint amount_total:bigint collection_method "
                "invoice:ref subscription:ref subscription_schedule:ref from_quote:ref=from_quote.quote "
                "accepted_at:time=status_transitions.accepted_at finalized_at:time=status_transitions.finalized_at "
                "canceled_at:time=status_transitions.canceled_at expires_at:time description header footer "
                "test_clock:ref metadata:json created:time"
            ),
            progress.quote,
            at="quotes",
            listings=(_whole("quotes"), _of_clocks("quotes")),
            expanded=(Nested("line_items", "item", "/v1/quotes/{id}/line_items"),),
            owed=_always,
            polled=True,
        ),
        StripeObject(
            "billing.meter",
            "billing_meters",
            _columns(
                "display_name event_name status event_time_window aggregation=default_aggregation.formula "
                "deactivated_at:time=status_transitions.deactivated_at created:time updated:time"
            ),
            progress.updated,
            at="billing/meters",
            listings=(_whole("billing/meters"),),
        ),
        StripeObject(
            "entitlements.feature",
            "entitlement_features",
            _columns("name lookup_key active:boolean metadata:json"),
            at="entitlements/features",
            listings=(_whole("entitlements/features"), _whole("entitlements/features", archived="true")),
            polled=True,
            silent=True,
        ),
        StripeObject(
            "entitlements.active_entitlement_summary",
            "active_entitlement_summaries",
            _columns("customer:ref"),
            carried=(
                Nested(
                    "entitlements",
                    "entitlements.active_entitlement",
                    "/v1/entitlements/active_entitlements?customer={id}",
                ),
            ),
            id_field="customer",
        ),
        StripeObject(
            "entitlements.active_entitlement",
            "active_entitlements",
            _columns("feature:ref lookup_key"),
        ),
    )
}

TABLES: Mapping[str, StripeObject] = {entry.table: entry for entry in CATALOGUE.values()}

CARRIED_BY: Mapping[str, StripeObject] = {
    nested.child: entry for entry in CATALOGUE.values() for nested in entry.carried
}
"""Kinds that live inside another's state -> the kind that carries them."""

CHILDREN = frozenset(CARRIED_BY) | {"item"}
"""Kinds whose rows name their parent in `parent_id`, because their JSON need not."""

"""The event types an endpoint may ask for (docs.stripe.com/api/events/types), so that a misspelt one is refused.

Of families the sandbox has no objects of, every type is accepted and none is ever sent.
"""

_TYPES = """
account: updated; account.application: authorized deauthorized; account.external_account: created deleted updated
application_fee: created refunded; application_fee.refund: updated; balance: available; balance_settings: updated
billing.alert: triggered; billing.credit_balance_transaction: created; billing.credit_grant: created updated
billing.meter: created deactivated reactivated updated; billing_portal.configuration: created updated
billing_portal.session: created; capability: updated; cash_balance: funds_available
charge: captured expired failed pending refunded succeeded updated; charge.refund: updated
charge.dispute: closed created funds_reinstated funds_withdrawn updated
checkout.session: async_payment_failed async_payment_succeeded completed expired; coupon: created deleted updated
credit_note: created updated voided; customer: created deleted updated; customer.discount: created deleted updated
customer.source: created deleted expiring updated; customer.tax_id: created deleted updated
customer.subscription: created deleted paused pending_update_applied pending_update_expired resumed trial_will_end
customer.subscription: updated; customer_cash_balance_transaction: created
entitlements.active_entitlement_summary: updated; file: created
invoice: created deleted finalization_failed finalized marked_uncollectible overdue overpaid paid updated voided
invoice: payment_action_required payment_attempt_required payment_failed payment_succeeded sent upcoming will_be_due
invoice_payment: paid; invoiceitem: created deleted; mandate: updated
payment_intent: amount_capturable_updated canceled created partially_funded payment_failed processing requires_action
payment_intent: succeeded; payment_link: created updated
payment_method: attached automatically_updated detached updated
payout: canceled created failed paid reconciliation_completed updated; person: created deleted updated
plan: created deleted updated; price: created deleted updated; product: created deleted updated
promotion_code: created updated; quote: accepted canceled created finalized; radar.early_fraud_warning: created updated
refund: created failed updated; review: closed opened
setup_intent: canceled created requires_action setup_failed succeeded
subscription_schedule: aborted canceled completed created expiring released updated; tax.settings: updated
tax_rate: created updated; test_helpers.test_clock: advancing created deleted internal_failure ready
topup: canceled created failed reversed succeeded; transfer: created reversed updated
"""

TYPES = frozenset(
    f"{family}.{step}"
    for line in _TYPES.replace(";", "\n").strip().splitlines()
    for family, _, steps in [line.strip().partition(": ")]
    for step in steps.split()
)
ELSEWHERE = (
    "apps. climate. financial_connections. identity. issuing_ reporting. reserve. sigma. source. terminal. "
    "three_d_secure. treasury. v1. v2."
).split()


# stripe-python 16.1.0 has no thin events of these
_SNAPSHOT_ONLY = ("customer.source.",)


def thin(type_: str) -> bool:
    """Whether there are thin events of a type, too."""
    return not type_.startswith(_SNAPSHOT_ONLY)


def known(type_: str) -> bool:
    """Whether Stripe has such events; ``*`` stands for all."""
    return type_ == "*" or type_ in TYPES or type_.startswith(tuple(ELSEWHERE))

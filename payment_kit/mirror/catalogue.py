"""Every mirrored Stripe object, once: where it is listed, which columns it has, which of two states is further.

An entry here drives the tables, the writer, backfill, catch-up and the refetch of a single object. Adding an object is
one entry, one migration and one fixture; tests compare the entries with the migrated database and with the sandbox.

A `Column` says where its value stands in Stripe's JSON and how PostgreSQL reads it there, so a table can be rebuilt
from its `raw` column by SQL alone. `progress` answers what Stripe's one-second timestamps cannot: numbers that only
ever grow while an object lives, compared left to right (source: the state machines in docs.stripe.com/api).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["text", "bigint", "numeric", "boolean", "time", "json", "ref"]
Payload = Mapping[str, Any]
Progress = tuple[int, ...]

SQL_TYPES: Mapping[Kind, str] = {
    "text": "text",
    "bigint": "bigint",
    "numeric": "numeric",
    "boolean": "boolean",
    "time": "timestamp with time zone",
    "json": "jsonb",
    "ref": "text",
}


@dataclass(frozen=True, slots=True)
class Column:
    """One typed column: `name`, how to read it (`kind`), and its `path` in the JSON (default: the name).

    ``ref`` reads an id whether Stripe sent the id or the expanded object; ``time`` reads Unix seconds as UTC.
    """

    name: str
    kind: Kind = "text"
    path: tuple[str, ...] = ()

    @property
    def sql(self) -> str:
        """The SQL expression that reads this column from a jsonb value named ``raw``."""
        path = self.path or (self.name,)
        parent = "raw" + "".join(f"->'{key}'" for key in path[:-1])
        text = f"{parent}->>'{path[-1]}'"
        value = f"{parent}->'{path[-1]}'"
        match self.kind:
            case "json":
                return f"nullif({value}, 'null'::jsonb)"
            case "time":
                return f"to_timestamp(({text})::bigint)"
            case "ref":
                return f"coalesce({value}->>'id', {text})"
            case "text":
                return text
            case _:
                return f"({text})::{self.kind}"


@dataclass(frozen=True, slots=True)
class StripeObject:
    """One kind of object: Stripe's name for it, its table in schema `stripe`, its list endpoint and its columns."""

    name: str
    table: str
    columns: tuple[Column, ...]
    progress: Callable[[Payload], Progress] = lambda _payload: ()
    list_created: bool = True
    """The list endpoint filters by `created`; otherwise a backfill reads it whole."""
    list_per: str | None = None
    """The list endpoint wants this parent (an entry's name), so a backfill asks once per parent."""
    list_parts: tuple[Mapping[str, str], ...] = ({},)
    """Parameters of the lists that together hold every object, where one list does not."""
    sent_by_webhook: bool = True
    drop: tuple[str, ...] = ()
    """Fields never stored: secrets that only the caller of the moment may see."""

    @property
    def path(self) -> str:
        """The collection's URL path; one object is at ``path/id``."""
        return f"/v1/{self.table}"


def _columns(text: str) -> tuple[Column, ...]:
    """``"email amount:bigint card_brand=card.brand"`` -> columns; written once per line below, read by people."""
    columns = []
    for word in text.split():
        declaration, _, path = word.partition("=")
        name, _, kind = declaration.partition(":")
        columns.append(Column(name, kind or "text", tuple(path.split(".")) if path else ()))  # type: ignore[arg-type]
    return tuple(columns)


def _flag(payload: Payload, key: str) -> int:
    return 1 if payload.get(key) else 0


def _rank(payload: Payload, ranks: Mapping[str, int]) -> int:
    return ranks.get(payload.get("status") or "", 0)


_REFUND_RANKS = {"pending": 1, "requires_action": 1, "succeeded": 2, "failed": 3, "canceled": 3}
_PAYOUT_RANKS = {"pending": 1, "in_transit": 2, "paid": 3, "failed": 4, "canceled": 4}
_RECONCILIATION_RANKS = {"not_applicable": 0, "in_progress": 1, "completed": 2}
_DISPUTE_RANKS = {
    "warning_needs_response": 1,
    "warning_under_review": 2,
    "warning_closed": 3,
    "needs_response": 4,
    "under_review": 5,
    "won": 6,
    "lost": 6,
    "prevented": 6,
}


def _payment_intent_progress(payload: Payload) -> Progress:
    ended = {"requires_capture": 1, "succeeded": 2, "canceled": 2}
    return (_rank(payload, ended), payload.get("amount_received") or 0)


def _charge_progress(payload: Payload) -> Progress:
    settled = _flag(payload, "balance_transaction") + _flag(payload, "failure_balance_transaction")
    ended = {"pending": 0, "succeeded": 1, "failed": 1}
    return (
        _rank(payload, ended),
        _flag(payload, "captured"),
        payload.get("amount_refunded") or 0,
        _flag(payload, "disputed"),
        settled,
    )


def _refund_progress(payload: Payload) -> Progress:
    return (_rank(payload, _REFUND_RANKS), _flag(payload, "failure_balance_transaction"))


def _dispute_progress(payload: Payload) -> Progress:
    return (_rank(payload, _DISPUTE_RANKS), len(payload.get("balance_transactions") or ()))


def _payout_progress(payload: Payload) -> Progress:
    reconciled = _RECONCILIATION_RANKS.get(payload.get("reconciliation_status") or "", 0)
    return (_rank(payload, _PAYOUT_RANKS), reconciled)


def _balance_transaction_progress(payload: Payload) -> Progress:
    return (1 if payload.get("status") == "available" else 0,)


CATALOGUE: Mapping[str, StripeObject] = {
    entry.name: entry
    for entry in (
        StripeObject(
            "customer",
            "customers",
            _columns(
                "name email phone description currency balance:bigint delinquent:boolean invoice_prefix "
                "default_payment_method:ref=invoice_settings.default_payment_method metadata:json created:time"
            ),
        ),
        StripeObject(
            "product",
            "products",
            _columns(
                "name description active:boolean default_price:ref unit_label tax_code:ref metadata:json "
                "created:time updated:time"
            ),
            progress=lambda payload: (payload.get("updated") or 0,),
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
            # docs.stripe.com/api/prices/list: "Returns a list of your active prices ... set active to false"
            list_parts=({"active": "true"}, {"active": "false"}),
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
            list_created=False,
            list_per="customer",
        ),
        StripeObject(
            "payment_intent",
            "payment_intents",
            _columns(
                "amount:bigint amount_received:bigint amount_capturable:bigint currency status customer:ref "
                "payment_method:ref latest_charge:ref capture_method confirmation_method setup_future_usage "
                "description statement_descriptor receipt_email cancellation_reason canceled_at:time "
                "last_payment_error_code=last_payment_error.code "
                "last_payment_error_decline_code=last_payment_error.decline_code metadata:json created:time"
            ),
            progress=_payment_intent_progress,
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
                "receipt_email description statement_descriptor metadata:json created:time"
            ),
            progress=_charge_progress,
        ),
        StripeObject(
            "refund",
            "refunds",
            _columns(
                "amount:bigint currency status reason charge:ref payment_intent:ref balance_transaction:ref "
                "failure_reason failure_balance_transaction:ref pending_reason metadata:json created:time"
            ),
            progress=_refund_progress,
        ),
        StripeObject(
            "dispute",
            "disputes",
            _columns(
                "amount:bigint currency status reason charge:ref payment_intent:ref is_charge_refundable:boolean "
                "evidence_due_by:time=evidence_details.due_by "
                "network_reason_code=payment_method_details.card.network_reason_code metadata:json created:time"
            ),
            progress=_dispute_progress,
        ),
        StripeObject(
            "balance_transaction",
            "balance_transactions",
            _columns(
                "amount:bigint fee:bigint net:bigint currency type reporting_category status source:ref "
                "available_on:time exchange_rate:numeric description balance_type fee_details:json created:time"
            ),
            progress=_balance_transaction_progress,
            sent_by_webhook=False,
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
            progress=_payout_progress,
        ),
    )
}

TABLES: Mapping[str, StripeObject] = {entry.table: entry for entry in CATALOGUE.values()}

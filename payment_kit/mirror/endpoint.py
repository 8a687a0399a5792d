"""The webhook endpoint at Stripe: created, found again, inspected and repaired.

Ours is the one to our URL; the metadata says that we made it. It wants all events: ``*`` covers every type but the
three that need explicit selection (identity.verification_session.redacted, issuing_authorization.request and
reporting.report_type.updated; docs.stripe.com/api/events/types), none of which a table holds. An endpoint hears either
of the account itself or, with ``connect``, of the connected accounts; Stripe does not say afterwards which it is, so
the metadata does. The version events are rendered in is chosen at creation and cannot be changed later, and the signing
secret is shown at creation only (docs.stripe.com/api/webhook_endpoints).
"""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import SecretStr

from payment_kit.database.connection import Pool
from payment_kit.database.queries import sql
from payment_kit.errors import UsageProblem
from payment_kit.mirror.event_types import mapped_object
from payment_kit.stripe_gateway.gateway import API_VERSION, StripeGateway

PATH = "/v1/webhook_endpoints"
ALL_EVENTS = "*"
MARK = "payment_kit"
DESCRIPTION = "payment_kit: the mirror"
DAY_SECONDS = 86_400
GRACE_SECONDS = 600
LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})
Json = Mapping[str, Any]
Severity = Literal["ok", "warn", "fail"]
Wrong = Literal["missing", "disabled", "version", "events", "several", "insecure", "undelivered"]

_VERSIONS_SEEN = sql("endpoint.versions_seen")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing about the endpoint: how bad it is, what it is, and what mends it ("" when nothing has to be)."""

    severity: Severity
    what: str
    fix: str = ""
    wrong: Wrong | None = None


@dataclass(frozen=True, slots=True)
class Mended:
    """What was done at Stripe: in words, one sentence each; `secret` only when an endpoint was created."""

    id: str
    done: tuple[str, ...] = ()
    secret: SecretStr | None = field(default=None, repr=False)
    left: tuple[str, ...] = ()
    """Ids of endpoints to the same URL that still deliver and are to go: `replace` removes them."""


async def health(gateway: StripeGateway, url: str, *, connect: bool = False) -> list[Finding]:
    """What is wrong with the endpoint to `url`; one ``ok`` when nothing is. Changes nothing."""
    found = [_insecure(url)] if _is_insecure(url) else []
    ours = await _to(gateway, url, connect)
    kind = " --connect" if connect else ""
    fix = f"payment-kit sync endpoint --url {url}{kind}"
    if not ours:
        return [*found, Finding("fail", f"no endpoint at Stripe delivers to {url}", fix, "missing")]
    if len(ours) > 1:
        what = f"{len(ours)} endpoints deliver to {url}: every event comes as often"
        found.append(Finding("warn", what, f"{fix} --replace", "several"))
    for endpoint in ours:
        found += _wrong(endpoint, fix)
    return found or [Finding("ok", f"{ours[0]['id']} delivers everything to {url} in version {API_VERSION}")]


async def mend(gateway: StripeGateway, url: str, *, connect: bool = False, replace: bool = False) -> Mended:
    """Create the endpoint to `url` or bring it into shape; nothing is changed that is right already.

    One of another version stays and a new one is made beside it, so that nothing is lost while the secrets change;
    with `replace` the old ones are deleted, once a right one is there that was made before this call. Raises
    `UsageProblem` SETTING_INVALID for a URL Stripe cannot use, and the gateway's problems.
    """
    _check(url)
    ours = await _to(gateway, url, connect)
    right = [one for one in ours if one.get("api_version") == API_VERSION]
    rest = [one["id"] for one in ours if one.get("api_version") != API_VERSION] + [one["id"] for one in right[1:]]
    if not right:
        made = await _create(gateway, url, connect, [one["id"] for one in ours])
        secret = SecretStr(made["secret"]) if made.get("secret") else None
        return Mended(
            made["id"], (f"{made['id']} was created for {url} in version {API_VERSION}.",), secret, tuple(rest)
        )
    done = await _update(gateway, right[0], connect)
    if replace:
        for id_ in rest:
            await gateway.request("delete", f"{PATH}/{id_}")
            done.append(f"{id_} was deleted.")
        rest = []
    return Mended(right[0]["id"], tuple(done), None, tuple(rest))


async def versions_seen(pool: Pool, account_id: str) -> dict[str, int]:
    """How many events of the last 24 hours came in which API version (``none`` for thin notifications)."""
    async with pool.connection() as connection:
        rows = await (await connection.execute(_VERSIONS_SEEN, {"account_id": account_id})).fetchall()
    return {version: count for version, count in rows}  # noqa: C416 - rows are no pairs to mypy


async def survey(gateway: StripeGateway) -> list[Finding]:
    """What is wrong with any endpoint of the account, and whether Stripe's deliveries of the last day arrived."""
    page = await gateway.page(PATH)
    if not page.data:
        return [Finding("warn", "none is registered at Stripe", "payment-kit sync endpoint --url …", "missing")]
    found: list[Finding] = []
    for endpoint in page.data:
        fix = f"payment-kit sync endpoint --url {endpoint['url']}"
        found += _wrong(endpoint, fix) or [Finding("ok", endpoint["url"])]
    twice = Counter((one["url"], _mark(one)) for one in page.data if one["status"] == "enabled")
    for (url, _), count in twice.items():
        if count > 1:
            fix = f"payment-kit sync endpoint --url {url} --replace"
            found.append(
                Finding("warn", f"{count} endpoints deliver to {url}: every event comes as often", fix, "several")
            )
    return [*found, *await _undelivered(gateway, page.server_time)]


async def _undelivered(gateway: StripeGateway, now: int) -> list[Finding]:
    """Stripe says which deliveries were not acknowledged, not why; a wrong secret is one reason."""
    created = {"gte": now - DAY_SECONDS, "lt": now - GRACE_SECONDS}
    events = (await gateway.page("/v1/events", {"created": created})).data
    pending = sum(1 for one in events if one.get("pending_webhooks"))
    if not pending:
        return []
    what = f"{pending} of the last {len(events)} events were not acknowledged by every endpoint"
    fix = "is the receiver reachable? PK-SIGNATURE_INVALID in its log means that STRIPE_WEBHOOK_SECRET is another's"
    return [Finding("warn", what, fix, "undelivered")]


# ---- looking --------------------------------------------------------------------------------------------------------


async def _to(gateway: StripeGateway, url: str, connect: bool) -> list[Json]:
    """The endpoints to this URL, of which one may be of the other sort only when its metadata says so."""
    other = _sort(not connect)
    return [one for one in await _all(gateway) if one["url"] == url and _mark(one) != other]


async def _all(gateway: StripeGateway) -> list[Json]:
    return [one async for page in gateway.list(PATH) for one in page.data]


def _mark(endpoint: Json) -> str | None:
    return (endpoint.get("metadata") or {}).get(MARK)


def _sort(connect: bool) -> str:
    return "connect" if connect else "account"


def _wrong(endpoint: Json, fix: str) -> list[Finding]:
    id_, version = endpoint["id"], endpoint.get("api_version")
    found = []
    if endpoint.get("status") != "enabled":
        found.append(Finding("fail", f"{id_} is disabled: Stripe sends it nothing", fix, "disabled"))
    if version != API_VERSION:
        what = f"{id_} sends {version or 'the default version of the account'}, not {API_VERSION}"
        found.append(Finding("warn", what, fix, "version"))
    missing = _missing(endpoint.get("enabled_events") or [])
    if missing:
        found.append(Finding("fail", f"{id_} does not send {missing}", fix, "events"))
    return found


def _missing(enabled: Sequence[str]) -> str:
    if ALL_EVENTS in enabled:
        return ""
    listed = {type_ for type_ in enabled if mapped_object(type_)}
    return f"all events, only {len(listed)} types the mirror knows"


def _is_insecure(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme != "https" and parts.hostname not in LOCAL_HOSTS


def _insecure(url: str) -> Finding:
    return Finding("fail", f"{url} is not https: live events are not sent there", "use an https URL", "insecure")


# ---- mending --------------------------------------------------------------------------------------------------------


def _check(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.fragment:
        raise UsageProblem("SETTING_INVALID", "The URL of an endpoint must look like https://host/webhooks/stripe.")
    if _is_insecure(url):
        raise UsageProblem("SETTING_INVALID", "The URL of an endpoint on a public host must be https.")


async def _create(gateway: StripeGateway, url: str, connect: bool, known: Sequence[str]) -> Json:
    params: dict[str, Any] = {
        "url": url,
        "enabled_events": [ALL_EVENTS],
        "api_version": API_VERSION,
        "description": DESCRIPTION,
        "metadata": {MARK: _sort(connect)},
    }
    if connect:
        params["connect"] = True
    # The same wish beside the same endpoints is one endpoint, however often an answer is lost.
    wish = "|".join([url, _sort(connect), API_VERSION, *sorted(known)])
    key = f"payment_kit-endpoint-{hashlib.sha256(wish.encode()).hexdigest()[:32]}"
    reply = await gateway.request("post", PATH, params, idempotency_key=key)
    if reply.replayed and reply.body["id"] not in {one["id"] for one in await _all(gateway)}:
        # Made by an earlier call and deleted since: that answer tells of nothing that is there.
        reply = await gateway.request("post", PATH, params)
    return reply.body


async def _update(gateway: StripeGateway, endpoint: Json, connect: bool) -> list[str]:
    changes: dict[str, Any] = {}
    done = []
    if endpoint.get("status") != "enabled":
        changes["disabled"] = False
        done.append(f"{endpoint['id']} was enabled again.")
    if ALL_EVENTS not in (endpoint.get("enabled_events") or []):
        changes["enabled_events"] = [ALL_EVENTS]
        done.append(f"{endpoint['id']} now sends all events.")
    if _mark(endpoint) is None:
        changes["metadata"] = {MARK: _sort(connect)}
        done.append(f"{endpoint['id']} is marked as ours.")
    if changes:
        await gateway.request("post", f"{PATH}/{endpoint['id']}", changes)
    return done

